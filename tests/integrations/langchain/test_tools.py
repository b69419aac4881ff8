"""What agents get of a video: text and few small pictures; the rest is the artifact."""

import base64
import io
import json
import os
import pickle

import pytest

pytest.importorskip("langgraph")

import torch
from langchain_core.load import dumpd, load
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from PIL import Image
from safetensors.torch import load_file

import framesift
from langchain_framesift.chat_models import ChatFramesift
from langchain_framesift.tools import (
    AskVideoTool,
    CompressVideoTool,
    FindInVideoTool,
    ReadVideoTextTool,
    VideoToolkit,
)

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
UNANSWERABLE = "What is the name of the person speaking?"


@pytest.fixture(scope="module")
def tools():
    return {tool.name: tool for tool in VideoToolkit(model="tiny").get_tools()}


def called(tool, **arguments):
    message = tool.invoke({"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"})
    assert isinstance(message, ToolMessage)
    return message


def pictures(message):
    blocks = [block for block in message.content if block["type"] == "image"]
    return [Image.open(io.BytesIO(base64.b64decode(block["base64"]))) for block in blocks]


def test_a_toolkit_gives_three_tools_over_one_model(tools):
    assert list(tools) == ["compress_video", "ask_video", "find_in_video", "read_video_text"]
    called(tools["ask_video"], video=CLIP, question=QUESTION)
    shared = {id(tool.assistant("tiny").compressor.answering_vlm.hf) for tool in tools.values()}
    assert len(shared) == 1
    chat = ChatFramesift(model="tiny", loaded=tools["ask_video"].loaded)
    assert chat.assistant("tiny") is tools["ask_video"].assistant("tiny")


def test_a_compressed_video_is_shown_and_its_tokens_are_counted(tools):
    message = called(tools["compress_video"], video=CLIP)
    assert {block["type"] for block in message.content} == {"text", "image"}
    report = message.artifact["report"]
    expected = framesift.VideoCompressor(vlm="tiny").compress(CLIP)
    assert report["tokens_out"] == expected.report.tokens_out
    assert f"reduced to {report['tokens_out']}" in message.content[0]["text"]
    assert len(message.artifact["keyframes"]) == len(pictures(message))
    assert message.artifact["tokens"] is None


def test_tokens_that_are_wanted_lie_once_in_a_file_that_the_artifact_names(tmp_path):
    compress = VideoToolkit(model="tiny", token_folder=str(tmp_path / "tokens")).get_tools()[0]
    first, again = (called(compress, video=CLIP).artifact["tokens"] for _ in range(2))
    assert first == again
    (path,) = (tmp_path / "tokens").iterdir()
    assert first == {"path": str(path), "bytes": path.stat().st_size}
    expected = framesift.VideoCompressor(vlm="tiny").compress(CLIP)
    assert torch.equal(load_file(path)["tokens"], expected.tokens)


def test_an_agent_chooses_ratio_strategy_and_part(tools):
    arguments = {"video": f"{CLIP}#t=2,6", "keep": 0.5, "strategy": "uniform"}
    for compress in (tools["compress_video"], CompressVideoTool()):
        report = called(compress, **arguments).artifact["report"]
        assert (report["keep"], report["strategy"]) == (0.5, "uniform")
        assert report["part_seconds"] == [2.0, 6.0]
    assert called(tools["compress_video"], video=CLIP).artifact["report"]["keep"] == 0.25


def test_compressing_needs_no_model():
    message = called(CompressVideoTool(), video=CLIP)
    assert message.artifact["report"]["encoder"].startswith("handcrafted")


@pytest.mark.parametrize(("most", "side"), [(0, 512), (1, 40), (3, 64)])
def test_pictures_are_few_and_small(most, side):
    tool = CompressVideoTool(max_images=most, max_side_px=side)
    shown = pictures(called(tool, video="synthetic://cuts?seconds=9&seed=2"))
    assert len(shown) == most
    assert all(max(picture.size) <= side for picture in shown)


def test_an_answer_is_that_of_the_python_api_with_its_times(tools):
    message = called(tools["ask_video"], video=CLIP, question=QUESTION)
    expected = framesift.VideoCompressor(vlm="tiny").ask(CLIP, QUESTION, evidence="attention")
    answer = framesift.Answer.model_validate(message.artifact)
    assert answer.text == expected.text
    assert answer.evidence == expected.evidence
    (block,) = message.content
    best = expected.evidence[0]
    assert block["text"].startswith(expected.text)
    assert f"{best.start_seconds:.1f}-{best.end_seconds:.1f} s" in block["text"]


def test_an_answer_that_nothing_shows_names_no_times(tools):
    message = called(tools["ask_video"], video=CLIP, question=UNANSWERABLE)
    assert message.artifact["evidence"] == []
    (block,) = message.content
    assert block["text"] == "not shown: the video does not show what was asked."


def test_no_is_an_answer(tools):
    message = called(tools["ask_video"], video=CLIP, question="Is there a hexagon?")
    assert message.content == [{"type": "text", "text": "no"}]


def test_a_second_question_does_not_read_the_video_again(tools):
    called(tools["ask_video"], video=CLIP, question=QUESTION)
    usage = called(tools["ask_video"], video=CLIP, question="What color is it?").artifact["usage"]
    assert usage["encode_seconds"] == 0
    assert usage["cached_tokens"] > usage["visual_tokens_after"]


def test_moments_come_with_times_and_frames(tools):
    message = called(tools["find_in_video"], video=CLIP, query=QUESTION, count=2)
    expected = framesift.VideoCompressor(vlm="tiny").find(CLIP, QUESTION, 2)
    wanted = [moment.metadata() for moment in expected]
    for moment in wanted:
        del moment["description"]  # of the whole video, with each moment
    assert message.artifact["moments"] == wanted
    assert len(pictures(message)) == len(expected)
    first = expected[0].segment
    assert f"{first.start_seconds:.1f}-{first.end_seconds:.1f} s" in message.content[1]["text"]


def test_nothing_found_is_said_in_words(tools):
    message = called(tools["find_in_video"], video=CLIP, query="a red star")
    line = f"nothing in {CLIP!r} is like 'a red star'"
    assert message.artifact == {"moments": [], "warnings": [line]}
    assert message.content[0]["text"] == f"Warning: {line}"
    assert "No moment matches" in message.content[1]["text"]


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_messages_are_json_whose_artifacts_are_small(tools):
    written = JsonPlusSerializer(pickle_fallback=False)
    arguments = {"question": QUESTION, "query": QUESTION}
    for tool in tools.values():
        wanted = {name: arguments[name] for name in tool.args if name in arguments}
        for message in [called(tool, video=CLIP, **wanted), called(tool, video="nothing://")]:
            assert written.loads_typed(written.dumps_typed(message)) == message
            again = json.loads(json.dumps(dumpd(message)))
            assert load(again, allowed_objects="messages") == message
            assert len(json.dumps(message.artifact)) < 2000


def test_what_an_artifact_holds_does_not_grow_with_the_video():
    sizes = []
    for seconds in (9, 36):
        message = called(CompressVideoTool(), video=f"synthetic://cuts?seconds={seconds}&seed=2")
        sizes.append(len(json.dumps(message.artifact["report"])))
    assert sizes[1] < sizes[0] + 100


def test_pages_of_sites_are_opened_as_the_options_of_the_tool_say(monkeypatch):
    opened = []

    def open_video(video, limits, *, site):
        opened.append(site.language)
        return framesift.open_video(video, limits, site=site)

    monkeypatch.setattr("langchain_framesift.tools.open_video", open_video)
    german = framesift.SiteOptions(language=("de",))
    called(CompressVideoTool(site=german), video=CLIP)
    assert opened == [("de",)]
    for tool in VideoToolkit(model="tiny", site=german).get_tools():
        assert tool.compressor_options["site"] == german


def test_names_that_are_not_utf_8_become_text(tmp_path):
    with framesift.open_video(CLIP) as local:
        path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
        try:
            path.write_bytes(local.path.read_bytes())
        except OSError:
            pytest.skip("the file system takes names in UTF-8 alone")
    compress = CompressVideoTool(limits=framesift.FetchLimits())
    message = called(compress, video=str(path))
    assert message.status == "success"
    assert json.dumps(dumpd(message), ensure_ascii=False).encode()


def test_tools_come_back_from_a_pickle(tools):
    for tool in tools.values():
        again = pickle.loads(pickle.dumps(tool))
        assert again.name == tool.name
        assert (again.args, again.keep) == (tool.args, tool.keep)
    asked = called(pickle.loads(pickle.dumps(tools["ask_video"])), video=CLIP, question=QUESTION)
    expected = called(tools["ask_video"], video=CLIP, question=QUESTION)
    assert asked.content == expected.content
    assert called(tools["compress_video"], video=CLIP, keep=2).content.startswith("wrong arguments")


@pytest.mark.parametrize(
    "wrong",
    [{"frames": 3}, {"max_image": 3}, {"selector": "nope"}, {"keep": 2}, {"max_images": "four"}],
)
def test_a_wrong_option_is_refused_at_construction_by_its_name(wrong):
    kinds = [VideoToolkit, CompressVideoTool, AskVideoTool, FindInVideoTool, ReadVideoTextTool]
    for kind in kinds:
        given = {"model": "tiny"} if "model" in kind.model_fields else {}
        with pytest.raises(framesift.FramesiftError) as refused:
            kind(**given, **wrong)
        assert next(iter(wrong)) in str(refused.value)
        assert "\n" not in str(refused.value)


def test_agents_are_told_of_parts_ratios_and_strategies(tools):
    for tool in tools.values():
        described = tool.args["video"]["description"]
        assert "#t=START,END" in described
    described = tools["compress_video"].args
    assert "Share of the visual tokens" in described["keep"]["description"]
    assert "temporal" in described["strategy"]["description"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("ask_video", {"video": "http://127.0.0.1/a.mp4", "question": "?"}, "127.0.0.1"),
        ("ask_video", {"video": "/etc/hostname", "question": "?"}, "file of this machine"),
        ("ask_video", {"video": "synthetic://nothing", "question": "?"}, "number"),
        ("ask_video", {"video": CLIP, "question": " "}, "empty"),
        ("ask_video", {"video": CLIP}, "question: Field required"),
        ("find_in_video", {"video": CLIP, "query": "x", "count": 99}, "count: "),
        ("find_in_video", {"video": CLIP, "query": ""}, "empty"),
        ("find_in_video", {"video": CLIP, "query": "x", "moments": 2}, "moments: "),
        ("compress_video", {"video": CLIP, "strategy": "nope"}, "temporal"),
        ("compress_video", {"video": CLIP, "strategy": "slow-fast:filling=/a/b"}, "may not name"),
        ("compress_video", {"video": "ftp://example.org/a.mp4"}, "no source opens"),
    ],
)
def test_bad_input_is_told_in_one_line(tools, name, arguments, said):
    message = called(tools[name], **arguments)
    assert message.status == "error"
    assert said in message.content
    assert "\n" not in message.content


def test_the_toy_says_before_its_words_that_it_knows_no_real_footage(tmp_path):
    with framesift.open_video(CLIP) as local:
        (tmp_path / "talk.mp4").write_bytes(local.path.read_bytes())
    trusting = framesift.FetchLimits()
    for tool in VideoToolkit(model="tiny", limits=trusting).get_tools()[1:3]:
        words = {"question": "Who is speaking?", "query": "Who is speaking?"}
        given = {name: value for name, value in words.items() if name in tool.args}
        message = called(tool, video=str(tmp_path / "talk.mp4"), **given)
        warning = message.artifact["warnings"][0]
        assert "trained on synthetic:// videos only" in warning
        assert message.content[0]["text"] == f"Warning: {warning}"


def test_a_model_that_does_not_exist_names_those_that_do():
    ask = VideoToolkit(model="tinny").get_tools()[1]
    message = called(ask, video=CLIP, question=QUESTION)
    assert message.status == "error"
    assert "'tinny'" in message.content
    assert "tiny" in message.content.partition("choose one of")[2]
