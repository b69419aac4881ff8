"""A video goes through a chain as keyframes or tokens, whatever it came as."""

import asyncio
import base64
import io
import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("langchain_core")

from langchain_core._api import LangChainBetaWarning
from langchain_core.load import dumps, load
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    convert_to_openai_messages,
)
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, RunnableLambda
from PIL import Image

import framesift
from framesift import FetchLimits
from framesift.errors import (
    DownloadError,
    ForbiddenAddressError,
    InvalidOptionError,
    VideoTooLargeError,
)
from langchain_framesift import CompressVideoBlocks, VideoCompressor, VideoPrompt

CUTS = "synthetic://cuts?seconds=6&seed=2&width=128&height=96&fps=4"
BLOCK = {"type": "video", "url": CUTS}
QUESTION = {"type": "text", "text": "What is it?"}


@pytest.fixture(scope="module")
def clip():
    """The bytes of a video in a real container."""
    with framesift.open_video(CUTS) as video:
        return video.path.read_bytes()


@pytest.fixture
def compressor():
    return VideoCompressor(count=2)


def seconds(shown):
    return [picture.seconds for picture in shown.pictures]


@pytest.mark.parametrize(
    "given",
    [
        CUTS,
        BLOCK,
        HumanMessage([BLOCK]),
        [SystemMessage("Be brief."), HumanMessage([BLOCK])],
        [{"role": "user", "content": [BLOCK]}],
        ChatPromptValue(messages=[HumanMessage([BLOCK])]),
    ],
    ids=["link", "block", "message", "messages", "mappings", "prompt"],
)
def test_a_video_may_come_in_many_forms(compressor, given):
    shown = compressor.invoke(given)
    expected = framesift.VideoCompressor().keyframes(CUTS, 2)
    assert seconds(shown) == [round(frame.pts_seconds, 3) for frame in expected]
    picture = Image.open(io.BytesIO(base64.b64decode(shown.pictures[0].base64)))
    assert (picture.format, picture.size) == ("JPEG", (128, 96))


def test_bytes_and_paths_give_what_the_link_gives(compressor, clip, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    block = {"type": "video", "base64": base64.b64encode(clip).decode(), "mime_type": "video/mp4"}
    of_bytes, of_path = compressor.invoke(block), compressor.invoke(path)
    assert of_bytes.pictures == of_path.pictures == compressor.invoke(CUTS).pictures
    assert of_bytes.uri.startswith("data:video/mp4;sha256=")


def test_a_part_and_a_rate_of_the_block_hold():
    block = {**BLOCK, "start": 2, "end": 4, "fps": 2}
    assert seconds(VideoCompressor(count=99).invoke(block)) == [2.0, 2.5, 3.0, 3.5]


def test_the_prompt_ends_with_what_is_asked_and_has_the_same_ids_each_time(compressor):
    first, second = (compressor.invoke(HumanMessage([BLOCK, QUESTION])) for _ in range(2))
    assert first == second
    assert first.question == "What is it?"
    (message,) = first.to_messages()
    assert [block["type"] for block in message.content] == [
        *["text", *["text", "image"] * 2],
        "text",
    ]
    lead, time = (block["text"] for block in message.content[:2])
    assert lead == "2 keyframes of one video, 00:00-00:06, each after its time:"
    assert time == "[00:01]"
    assert not any("id" in block for block in message.content)
    assert len({picture.id for picture in first.pictures}) == 2
    assert first.pictures[0].base64 not in repr(first)
    assert first.to_string().endswith("keyframes at 00:01, 00:04\nWhat is it?")


def test_a_mapping_stays_a_mapping_that_a_prompt_takes(compressor):
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Be brief."), MessagesPlaceholder("video")]
    )
    chain = compressor | prompt | RunnableLambda(lambda value: value.to_messages())
    told = chain.invoke({"video": BLOCK, "question": "What is it?", "other": 1})
    assert [message.type for message in told] == ["system", "human"]
    types = [block["type"] for block in told[1].content]
    assert types == ["text", *["text", "image"] * 2, "text"]
    assert told[1].content[-1] == {"type": "text", "text": "What is it?"}


def test_a_part_says_which_part_it_is(compressor):
    shown = compressor.invoke(f"{CUTS}#t=2,4")
    assert shown.lead.startswith("2 keyframes of one video, 00:02-00:04,")


def test_fields_can_be_set_for_one_call(compressor):
    names = ("keep", "strategy", "count", "question")
    open_ = compressor.configurable_fields(**{name: ConfigurableField(id=name) for name in names})
    told = {"count": 1, "question": "Why?", "keep": 0.5, "strategy": "uniform"}
    shown = open_.invoke(CUTS, config={"configurable": told})
    assert (len(shown.pictures), shown.question) == (1, "Why?")
    assert len(open_.invoke(CUTS).pictures) == 2


def test_a_batch_keeps_the_order_and_hands_errors_back(compressor):
    found = compressor.batch(
        [CUTS, "http://127.0.0.1/a.mp4", f"{CUTS}#t=0,3"],
        config={"max_concurrency": 2},
        return_exceptions=True,
    )
    assert seconds(found[0]) == seconds(compressor.invoke(CUTS))
    assert isinstance(found[1], ForbiddenAddressError)
    assert max(seconds(found[2])) < 3


def test_progress_comes_as_custom_events(compressor):
    async def events():
        stream = compressor.astream_events(CUTS, version="v2")
        return [event async for event in stream if event["event"] == "on_custom_event"]

    told = [event["data"] for event in asyncio.run(events())]
    assert list(dict.fromkeys(event["stage"] for event in told)) == [
        "draw",
        "encode",
        "select",
        "decode",
    ]
    encoded = [event for event in told if event["stage"] == "encode"]
    assert encoded[-1] == {"stage": "encode", "done": 6.0, "total": 6, "unit": "frame"}


@pytest.mark.slow
def test_tokens_go_out_for_an_engine_that_takes_prompt_embeddings():
    pytest.importorskip("transformers")
    video = "synthetic://number?seed=3"
    shown = VideoCompressor(vlm="tiny", keep=0.1).invoke(video)
    sift = framesift.VideoCompressor(vlm="tiny", keep=0.1)
    expected = sift.compress(video)
    assert (shown.tokens_before, shown.tokens_after) == (
        expected.report.tokens_in,
        expected.report.tokens_out,
    )
    (block,) = shown.content_blocks
    assert block["type"] == "prompt_embeds"
    embeds = torch.load(io.BytesIO(base64.b64decode(block["data"])), weights_only=True)
    assert torch.equal(embeds, expected.tokens)
    message = HumanMessage([{"type": "video", "url": video}, QUESTION])
    rewritten = CompressVideoBlocks(compressor=VideoCompressor(vlm="tiny", keep=0.1))
    assert rewritten.invoke([message])[0].content == [block, QUESTION]


def test_any_chat_model_takes_messages_after_videos_were_rewritten():
    image = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    message = HumanMessage([QUESTION, BLOCK, image, {"type": "video_url", "video_url": CUTS}])
    given = [SystemMessage("Be brief."), message, AIMessage("Cuts.")]
    with pytest.raises(ValueError, match="not supported"):
        convert_to_openai_messages(given)
    rewritten = CompressVideoBlocks(compressor=VideoCompressor(count=1)).invoke(given)
    assert rewritten[0] is given[0]
    assert rewritten[2] is given[2]
    assert message.content[1] == BLOCK
    sent = convert_to_openai_messages(rewritten)[1]["content"]
    shown = ["text", "text", "image_url"]
    assert [part["type"] for part in sent] == ["text", *shown, "image_url", *shown]
    assert sent[3]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_messages_without_videos_stay_as_they_are():
    rewrite = CompressVideoBlocks()
    given = [HumanMessage("Hello"), HumanMessage([QUESTION])]
    assert rewrite.invoke(given) == given
    assert rewrite.invoke("Hello") == [HumanMessage("Hello")]
    assert rewrite.invoke([]) == []


def test_a_conversation_that_goes_on_does_not_open_its_video_again(clip, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    trusting = VideoCompressor(count=1, limits=FetchLimits(allow_files=True))
    rewrite = CompressVideoBlocks(compressor=trusting)
    turns = [HumanMessage([{"type": "video", "path": str(path)}, QUESTION])]
    before = rewrite.invoke(turns)
    path.unlink()
    assert rewrite.invoke([*turns, AIMessage("Cuts."), HumanMessage("Sure?")])[0] == before[0]


def test_parts_of_a_video_are_remembered_apart():
    rewrite = CompressVideoBlocks(compressor=VideoCompressor(count=1))
    blocks = [BLOCK, {**BLOCK, "end": 2}, {**BLOCK, "url": f"{CUTS}#t=4,6"}]
    shown = rewrite.invoke([HumanMessage(blocks)])[0].content
    assert len({block["base64"] for block in shown if block["type"] == "image"}) == 3
    assert rewrite.invoke([HumanMessage(blocks)])[0].content == shown


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_runnables_can_be_dumped_and_loaded():
    limits = FetchLimits(max_bytes=10, ports=(443,), allow_files=False)
    given = CompressVideoBlocks(compressor=VideoCompressor(count=3, limits=limits))
    classes = [CompressVideoBlocks, VideoCompressor]
    read = load(
        json.loads(dumps(given)),
        valid_namespaces=["langchain_framesift"],
        allowed_objects=classes,
    )
    assert read == given
    assert read.compressor.limits == limits
    assert issubclass(LangChainBetaWarning, Warning)


def test_schemas_can_be_made(compressor):
    assert compressor.get_input_jsonschema()
    assert VideoPrompt.__name__ in json.dumps(compressor.get_output_jsonschema())


@pytest.mark.parametrize(
    "given",
    [
        "http://127.0.0.1/talk.mp4",
        {"type": "video", "url": "http://10.0.0.8/talk.mp4"},
        {"type": "video_url", "video_url": {"url": "http://[::1]/talk.mp4"}},
        [
            HumanMessage(
                [{"type": "media", "mime_type": "video/mp4", "file_uri": "http://0x7f.1/a"}]
            )
        ],
    ],
)
def test_private_addresses_are_refused_with_the_message_of_the_core(compressor, given):
    with pytest.raises(ForbiddenAddressError, match="leads to a private address; only public"):
        compressor.invoke(given)


@pytest.mark.parametrize(
    "given",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        {"type": "video", "path": "talk.mp4"},
        {"type": "image_url", "image_url": "file:///etc/passwd"},
        {"video": {"type": "file", "mime_type": "video/mp4", "url": "file://localhost/a.mp4"}},
    ],
)
def test_text_may_not_name_files_unless_allowed(compressor, given):
    with pytest.raises(ForbiddenAddressError, match="names a file of this machine"):
        compressor.invoke(given)
    with pytest.raises(ForbiddenAddressError):
        CompressVideoBlocks().invoke([HumanMessage([{"type": "video", "path": "talk.mp4"}])])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([HumanMessage("no video here")], "holds 0 videos"),
        ([HumanMessage([BLOCK, BLOCK])], "holds 2 videos; .* CompressVideoBlocks takes any"),
        ({"type": "text", "text": "hello"}, "holds 0 videos"),
        ({"video": BLOCK, "question": ["Why?"]}, "question=.* must be text"),
        ({"video": 5}, "5 is not a video; give a link, a Path"),
        ({"type": "video"}, "needs a url"),
        ([Path("a.mp4"), Path("b.mp4")], "a list of 2 files is not one video; .* call batch"),
        ([b"a", b"b"], "a list of 2 files is not one video"),
        ({"video": [Path("a.mp4")]}, "a list of 1 files is not one video"),
        (["a.mp4", 3], "cannot be read as messages"),
    ],
)
def test_an_input_without_its_one_video_is_refused_in_one_line(compressor, given, match):
    with pytest.raises(InvalidOptionError, match=match) as error:
        compressor.invoke(given)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_video_or_too_many_are_refused(clip):
    block = {"type": "video", "base64": base64.b64encode(b"GIF? no").decode()}
    with pytest.raises(DownloadError, match=r"'data:video/unknown;sha256=.*' is not a video"):
        VideoCompressor().invoke(block)
    small = VideoCompressor(limits=FetchLimits(max_bytes=len(clip) - 1000, allow_files=False))
    with pytest.raises(VideoTooLargeError, match="give a smaller video or raise max_bytes"):
        small.invoke({"type": "video", "base64": base64.b64encode(clip).decode()})


def test_a_missing_path_is_told_in_one_line(compressor):
    with pytest.raises(framesift.errors.SourceError, match="does not exist"):
        compressor.invoke(Path("no-such-talk.mp4"))
