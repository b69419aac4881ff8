"""Objects of the package go through pickle, and through LangChain's `dumpd` and `load`."""

import json
import pickle

import pytest

pytest.importorskip("langchain_core")

from langchain_core.load import dumpd, dumps, load
from langchain_core.load.load import loads

from framesift import FetchLimits
from framesift.errors import InvalidOptionError
from langchain_framesift import (
    AskVideoTool,
    ChatFramesift,
    CompressVideoBlocks,
    CompressVideoTool,
    FindInVideoTool,
    ReadVideoTextTool,
    VideoCompressor,
    VideoToolkit,
)

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

LIMITS = FetchLimits(max_bytes=10, allow_files=False)
MADE = [
    ChatFramesift(model="tiny", keep=0.5, stop=["a"], limits=LIMITS, text="subtitles"),
    VideoCompressor(count=3, selector="uniform", limits=LIMITS),
    CompressVideoBlocks(compressor=VideoCompressor(count=3, limits=LIMITS)),
    CompressVideoTool(model="tiny", keep=0.5, max_images=2),
    AskVideoTool(model="tiny", evidence="similarity"),
    FindInVideoTool(model="tiny", limits=LIMITS),
    ReadVideoTextTool(text="subtitles"),
]


def named(made):
    return type(made).__name__


@pytest.mark.parametrize("made", MADE, ids=named)
def test_it_is_the_same_after_pickling(made):
    read = pickle.loads(pickle.dumps(made))
    assert type(read) is type(made)
    assert read.model_dump() == made.model_dump()


@pytest.mark.parametrize("made", MADE, ids=named)
def test_it_is_the_same_after_being_dumped_and_loaded(made):
    written = dumps(made)
    assert json.loads(written)["type"] == "constructor"
    allowed = [type(made), VideoCompressor]
    read = loads(written, valid_namespaces=["langchain_framesift"], allowed_objects=allowed)
    assert type(read) is type(made)
    assert read.model_dump() == made.model_dump()
    assert dumps(read) == written


def test_what_was_loaded_goes_into_no_dump_and_a_copy_answers():
    chat = ChatFramesift(model="tiny", max_tokens=2)
    expected = chat.invoke("What is it?").text
    assert "loaded" not in dumps(chat)
    assert pickle.loads(pickle.dumps(chat)).invoke("What is it?").text == expected


def test_an_option_of_a_later_version_is_told_when_a_dump_is_read():
    written = dumpd(ChatFramesift(model="tiny"))
    written["kwargs"]["later"] = 1
    with pytest.raises(InvalidOptionError, match="ChatFramesift has no option 'later'"):
        load(written, valid_namespaces=["langchain_framesift"], allowed_objects=[ChatFramesift])


@pytest.mark.parametrize(
    ("kind", "given", "line"),
    [
        (ChatFramesift, {"model": "tiny", "max_new_tokens": 3}, "did you mean 'max_tokens'"),
        (ChatFramesift, {"model": "tiny", "base_url": "http://a"}, "has no option 'base_url'"),
        (ChatFramesift, {"model": "tiny", "selector": "nope"}, "unknown selector 'nope'"),
        (ChatFramesift, {"model": "tiny", "text": "scren"}, "did you mean 'screen'"),
        (VideoCompressor, {"frames": 3}, "VideoCompressor has no option 'frames'"),
        (VideoCompressor, {"cuont": 3}, "did you mean 'count'"),
        (VideoCompressor, {"selector": "nope"}, "unknown selector 'nope'"),
        (VideoCompressor, {"strategy": "tempral"}, "did you mean 'temporal'"),
        (VideoCompressor, {"text": "scren"}, "did you mean 'screen'"),
        (VideoCompressor, {"keep": 2}, "^keep=2 must be a number above 0"),
        (CompressVideoBlocks, {"compresor": None}, "did you mean 'compressor'"),
        (CompressVideoBlocks, {"compressor": {"frames": 3}}, "no option 'frames'"),
        (CompressVideoTool, {"max_image": 3}, "did you mean 'max_images'"),
        (AskVideoTool, {"model": "tiny", "max_new_tokens": 3}, "has no option 'max_new_tokens'"),
        (FindInVideoTool, {"modle": "tiny"}, "did you mean 'model'"),
        (ReadVideoTextTool, {"selector": "nope"}, "unknown selector 'nope'"),
        (VideoToolkit, {"model": "tiny", "max_image": 3}, "did you mean 'max_images'"),
    ],
)
def test_a_misspelt_option_is_told_when_the_object_is_made(kind, given, line):
    with pytest.raises((InvalidOptionError, ValueError), match=line) as refused:
        kind(**given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ChatFramesift(model="tiny").invoke("hello", max_new_tokens=3),
        lambda: list(ChatFramesift(model="tiny").stream("hello", max_new_tokens=3)),
        lambda: ChatFramesift(model="tiny").bind(max_new_tokens=3).invoke("hello"),
        lambda: VideoCompressor().invoke("synthetic://cuts", max_new_tokens=3),
        lambda: CompressVideoBlocks().invoke("hello", max_new_tokens=3),
    ],
)
def test_a_misspelt_option_of_a_call_is_told(call):
    with pytest.raises(InvalidOptionError, match="has no option 'max_new_tokens'"):
        call()
