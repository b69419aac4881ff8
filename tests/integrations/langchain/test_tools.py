"""What agents get of a video: text and few small pictures; the rest is the artifact."""

import base64
import io

import pytest

pytest.importorskip("langgraph")

from langchain_core.messages import ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from PIL import Image
from safetensors.torch import load

import framesift
from langchain_framesift.chat_models import ChatFramesift
from langchain_framesift.tools import CompressVideoTool, VideoToolkit

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


def test_a_compressed_video_is_shown_and_its_tokens_are_kept_aside(tools):
    message = called(tools["compress_video"], video=CLIP)
    assert {block["type"] for block in message.content} == {"text", "image"}
    report = message.artifact["report"]
    expected = framesift.VideoCompressor(vlm="tiny").compress(CLIP)
    assert report["tokens_out"] == expected.report.tokens_out
    assert f"reduced to {report['tokens_out']}" in message.content[0]["text"]
    tokens = load(message.artifact["tokens"])
    assert tokens["tokens"].shape == expected.tokens.shape
    assert len(message.artifact["keyframes"]) == len(pictures(message))


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
    assert block["text"] == "not shown"


def test_a_second_question_does_not_read_the_video_again(tools):
    called(tools["ask_video"], video=CLIP, question=QUESTION)
    usage = called(tools["ask_video"], video=CLIP, question="What color is it?").artifact["usage"]
    assert usage["encode_seconds"] == 0
    assert usage["cached_tokens"] > usage["visual_tokens_after"]


def test_moments_come_with_times_and_frames(tools):
    message = called(tools["find_in_video"], video=CLIP, query=QUESTION, count=2)
    expected = framesift.VideoCompressor(vlm="tiny").find(CLIP, QUESTION, 2)
    assert message.artifact["moments"] == [moment.metadata() for moment in expected]
    assert len(pictures(message)) == len(expected)
    first = expected[0].segment
    assert f"{first.start_seconds:.1f}-{first.end_seconds:.1f} s" in message.content[1]["text"]


def test_nothing_found_is_said_in_words(tools):
    message = called(tools["find_in_video"], video=CLIP, query="a red star")
    line = f"nothing in {CLIP!r} is like 'a red star'"
    assert message.artifact == {"moments": [], "warnings": [line]}
    assert message.content[0]["text"] == f"Warning: {line}"
    assert "No moment matches" in message.content[1]["text"]


def test_artifacts_survive_a_checkpoint(tools):
    written = JsonPlusSerializer()
    arguments = {"question": QUESTION, "query": QUESTION}
    for tool in tools.values():
        wanted = {name: arguments[name] for name in tool.args if name in arguments}
        artifact = called(tool, video=CLIP, **wanted).artifact
        assert written.loads_typed(written.dumps_typed(artifact)) == artifact


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
