"""Videos in messages of LangChain get the answers that the Python API gives."""

import base64
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("langchain_core")

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import ConfigurableField

import framesift
from framesift.errors import (
    BudgetError,
    ForbiddenAddressError,
    InvalidOptionError,
    UnknownNameError,
)
from framesift.hf import checkpoint
from framesift.vlms.tiny import FOLDER
from langchain_framesift.chat_models import ChatFramesift, PromptTooLongError

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
OTHER = "What color is the card?"


@pytest.fixture(scope="module")
def chat():
    return ChatFramesift(model="tiny")


@pytest.fixture(scope="module")
def expected():
    """What the Python API answers, by question."""
    sift = framesift.VideoCompressor(vlm="tiny")
    with sift.open(CLIP) as opened:
        return {question: opened.ask(question) for question in (QUESTION, OTHER)}


def asked(question=QUESTION, **video):
    block = video or {"type": "video", "url": CLIP}
    return HumanMessage([block, {"type": "text", "text": question}])


def test_the_answer_is_that_of_the_python_api(chat, expected):
    answer, reference = chat.invoke([asked()]), expected[QUESTION]
    assert answer.text == reference.text
    facts = answer.response_metadata
    assert facts["evidence"] == [part.model_dump(mode="json") for part in reference.evidence]
    assert facts["visual_tokens_before"] == reference.usage.visual_tokens_before
    assert facts["visual_tokens_after"] == reference.usage.visual_tokens_after
    assert answer.usage_metadata["input_tokens"] == reference.usage.prompt_tokens
    assert facts["model_name"] == "tiny"


def test_a_second_question_about_the_video_reads_only_itself(chat, expected):
    chat.invoke([asked()])
    answer = chat.invoke([asked(OTHER)])
    assert answer.text == expected[OTHER].text
    visual = answer.response_metadata["visual_tokens_after"]
    assert answer.usage_metadata["input_token_details"]["cache_read"] > visual
    chat.invoke("hello")
    again = chat.invoke([asked(OTHER)])
    assert again.text == answer.text
    assert again.usage_metadata["input_token_details"]["cache_read"] < visual


def test_a_conversation_goes_on_from_what_was_read(chat):
    turns = [SystemMessage("Be brief."), asked(), AIMessage("44"), HumanMessage(OTHER)]
    first = chat.invoke(turns[:2])
    second = chat.invoke(turns)
    details = second.usage_metadata["input_token_details"]
    assert details["cache_read"] >= first.usage_metadata["input_tokens"] - 1


def test_pieces_of_a_stream_join_to_the_answer(chat, expected):
    told = []

    class Listener(BaseCallbackHandler):
        def on_llm_new_token(self, token, **_):
            told.append(token)

    chunks = list(chat.stream([asked()], config={"callbacks": [Listener()]}))
    assert len(chunks) > 1
    assert "".join(chunk.text for chunk in chunks) == "".join(told) == expected[QUESTION].text
    assert [chunk.chunk_position for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].chunk_position == "last"
    assert chunks[-1].response_metadata["finish_reason"] == "stop"
    assert sum(chunk.usage_metadata is not None for chunk in chunks) == 1


def test_a_stream_that_is_left_or_read_slowly_holds_nobody_up(chat, expected):
    stream = chat.stream([asked()])
    next(stream)
    assert chat.invoke([asked(OTHER)]).text == expected[OTHER].text
    stream.close()
    assert chat.invoke([asked()]).text == expected[QUESTION].text


def test_stop_ends_the_answer_before_it(chat, expected):
    text = expected[OTHER].text
    stop = text[-1]
    cut = chat.invoke([asked(OTHER)], stop=[stop])
    assert cut.text == text.partition(stop)[0].strip()
    assert cut.response_metadata["finish_reason"] == "stop_sequence"
    stopping = ChatFramesift(model="tiny", stop=[stop], loaded=chat.loaded)
    assert stopping.invoke([asked(OTHER)]).text == cut.text
    assert stopping.invoke([asked(OTHER)], stop=["never said"]).text == text


def test_bytes_in_any_spelling_are_the_file_they_hold(chat, expected):
    with framesift.open_video(CLIP) as local:
        data = base64.b64encode(local.path.read_bytes()).decode()
    link = f"data:video/mp4;base64,{data}"
    for block in (
        {"type": "video", "base64": data, "mime_type": "video/mp4"},
        {"type": "video", "source_type": "base64", "data": data, "mime_type": "video/mp4"},
        {"type": "video_url", "video_url": {"url": link}},
        {"type": "media", "data": data, "mime_type": "video/mp4"},
    ):
        answer = chat.invoke([asked(**block)])
        assert answer.text == expected[QUESTION].text, block["type"]
        assert data not in str(answer.response_metadata)


def test_a_rate_in_the_block_goes_before_the_models_own(chat):
    usual, twice = (
        chat.invoke([asked(type="video", url=CLIP, **extra)]).response_metadata
        for extra in ({}, {"fps": 2.0})
    )
    assert twice["visual_tokens_before"] == 2 * usual["visual_tokens_before"]


def test_threads_of_a_batch_get_their_own_answers(chat, expected):
    questions = [QUESTION, OTHER] * 2
    answers = chat.batch([[asked(question)] for question in questions])
    assert [answer.text for answer in answers] == [expected[q].text for q in questions]


async def test_answers_and_streams_come_from_async_code_too(chat, expected):
    assert (await chat.ainvoke([asked()])).text == expected[QUESTION].text
    pieces = [chunk.text async for chunk in chat.astream([asked()])]
    assert "".join(pieces) == expected[QUESTION].text


def test_copies_with_other_settings_share_the_weights(chat):
    flexible = chat.configurable_fields(keep=ConfigurableField(id="keep"))
    half = flexible.with_config(configurable={"keep": 0.5}).invoke([asked()]).response_metadata
    assert half["visual_tokens_after"] == half["visual_tokens_before"] // 2
    quarter = chat.assistant("tiny").compressor
    other = chat.model_copy(update={"keep": 0.5}).assistant("tiny").compressor
    assert (quarter.keep, other.keep) == (0.25, 0.5)
    assert quarter.answering_vlm.hf is other.answering_vlm.hf


def test_results_of_tools_are_read_with_their_pictures(chat):
    with framesift.open_video(CLIP) as local:
        frame = framesift.VideoCompressor().keyframes(local, 1)[0]
    call = {"name": "look", "args": {}, "id": "1"}
    picture = {"type": "image_url", "image_url": {"url": frame.data_url()}}
    result = ToolMessage([{"type": "text", "text": "seen"}, picture], tool_call_id="1", name="look")
    answer = chat.invoke([HumanMessage("Look."), AIMessage("", tool_calls=[call]), result])
    assert answer.response_metadata["visual_tokens_before"] == 64


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/clip.mp4", "http://169.254.169.254/latest", "/etc/hostname"]
)
def test_addresses_that_messages_must_not_name_are_refused(chat, address):
    with pytest.raises(ForbiddenAddressError):
        chat.invoke([asked(type="video", url=address)])


def test_a_path_is_read_where_files_are_allowed(chat, expected):
    limits = framesift.FetchLimits()
    trusting = ChatFramesift(model="tiny", limits=limits, loaded=chat.loaded)
    with framesift.open_video(CLIP) as local:
        answer = trusting.invoke([asked(type="video", url=str(local.path))])
    assert answer.text == expected[QUESTION].text


def test_a_block_that_no_vision_model_reads_is_named(chat):
    sound = {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}
    with pytest.raises(InvalidOptionError, match="'audio'"):
        chat.invoke([asked(**sound)])


@pytest.mark.parametrize(
    "given", [[Path("a.mp4"), Path("b.mp4")], Path("a.mp4"), b"bytes", [b"bytes"], 5]
)
def test_an_input_that_holds_no_messages_is_refused_in_one_line(chat, given):
    with pytest.raises(InvalidOptionError, match="cannot be read as messages") as refused:
        chat.invoke(given)
    assert "\n" not in str(refused.value)


def test_a_conversation_that_is_too_long_is_told_as_langchain_tells_it(chat):
    with pytest.raises(PromptTooLongError, match="exceed the 8192") as refused:
        chat.invoke([asked("Why? " * 8000)])
    assert isinstance(refused.value, ContextOverflowError)
    assert isinstance(refused.value, BudgetError)


def test_wrong_settings_are_refused_when_the_model_is_made():
    with pytest.raises(BudgetError, match=r"^keep=0\.0 must be a number above 0"):
        ChatFramesift(model="tiny", keep=0.0)
    with pytest.raises(UnknownNameError, match="choose one of"):
        ChatFramesift(model="tiny", strategy="tempral")


def test_the_cache_key_knows_every_setting(chat):
    keys = set()
    for change in ({}, {"keep": 0.5}, {"strategy": "uniform"}, {"fps": 2.0}, {"seed": 1}):
        keys.add(chat.model_copy(update=change)._get_llm_string())
    keys.add(chat._get_llm_string(stop=["a"]))
    assert len(keys) == 6


def test_a_model_loads_once_however_many_threads_ask_first(monkeypatch, tmp_path):
    loads, load = [], checkpoint.load_model

    def counted(*arguments, **options):
        loads.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(checkpoint, "load_model", counted)
    folder = shutil.copytree(FOLDER, tmp_path / "tiny")
    fresh = ChatFramesift(model=str(folder), max_tokens=4)
    assert loads == []
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(fresh.invoke, ["hello"] * 4))
    assert len(loads) == 1


def test_tokens_are_counted_as_the_model_counts_them(chat):
    tokenizer = chat.assistant("tiny").compressor.answering_vlm.tokenizer
    assert chat.get_num_tokens(OTHER) == len(tokenizer(OTHER, add_special_tokens=False).input_ids)
    assert chat.get_token_ids("") == []
    turns = [SystemMessage("Be brief."), asked(), AIMessage("44"), HumanMessage(OTHER)]
    for messages in (turns[1:2], turns, [HumanMessage(OTHER)]):
        counted = chat.get_num_tokens_from_messages(messages)
        assert counted == chat.invoke(messages).usage_metadata["input_tokens"]
    schema = {"title": "add", "description": "Adds.", "type": "object", "properties": {}}
    with_tool = chat.get_num_tokens_from_messages(turns, tools=[schema])
    answer = chat.bind_tools([schema]).invoke(turns)
    assert with_tool == answer.usage_metadata["input_tokens"] > counted


def test_a_video_that_was_counted_is_not_read_again_for_the_answer(tmp_path):
    path = tmp_path / "clip.mp4"
    with framesift.open_video(CLIP) as local:
        shutil.copy(local.path, path)
    trusting = ChatFramesift(model="tiny", limits=framesift.FetchLimits())
    reads = []
    counting = framesift.VideoCompressor.compress

    def compress(self, *arguments, **options):
        reads.append(arguments)
        return counting(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framesift.VideoCompressor, "compress", compress)
        messages = [asked(type="video", url=str(path))]
        trusting.get_num_tokens_from_messages(messages)
        trusting.invoke(messages)
    assert len(reads) == 1


def test_what_is_not_in_a_video_comes_as_such(chat):
    seen, unseen = (
        chat.invoke([asked(question)]) for question in (QUESTION, "What color is the hexagon?")
    )
    assert seen.response_metadata["not_shown"] is False
    assert unseen.text == "not shown"
    assert unseen.response_metadata["not_shown"] is True
    assert unseen.response_metadata["evidence"] == []
