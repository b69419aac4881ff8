"""The tools over MCP, in process, with both eras of the protocol."""

import base64
import io
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from mcp.client import Client
from PIL import Image

import framesift
from framesift import VideoCompressor
from framesift.registry import Registry
from framesift.strategies.random import Random
from framesift.types.options import Reachable
from framesift_mcp import Tools, create_server

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"


@pytest.fixture(scope="module")
def tools():
    return Tools()


@pytest.fixture(scope="module")
def sift():
    return VideoCompressor(vlm="tiny")


@pytest.fixture(params=["auto", "legacy"])
def connected(request, tools):
    @asynccontextmanager
    async def connect(other=None):
        async with Client(create_server(other or tools), mode=request.param) as client:
            yield client

    return connect


@pytest.fixture
def call(connected):
    """Calls one tool; returns its result."""

    def run(name, *, of=None, **arguments):
        async def work():
            async with connected(of) as client:
                return await client.call_tool(name, arguments)

        return anyio.run(work)

    return run


def pictures(result):
    return [
        Image.open(io.BytesIO(base64.b64decode(block.data)))
        for block in result.content
        if block.type == "image"
    ]


def test_the_tools_say_what_they_take_and_give(connected):
    async def work():
        async with connected() as client:
            return (await client.list_tools()).tools

    listed = {tool.name: tool for tool in anyio.run(work)}
    assert set(listed) == {
        "list_videos",
        "compress_video",
        "read_video_text",
        "ask_video",
        "find_in_video",
    }
    for tool in listed.values():
        assert tool.description
        assert tool.annotations.read_only_hint is True
        assert tool.output_schema["type"] == "object"
    ratio = listed["compress_video"].input_schema["properties"]["compression_ratio"]
    assert (ratio["minimum"], ratio["maximum"]) == (0.25, 1.0)


def test_an_answer_and_its_evidence_are_those_of_python(call, sift):
    result = call("ask_video", video=CLIP, question=QUESTION)
    answer = sift.ask(CLIP, QUESTION, evidence="attention").model_dump(mode="json")
    assert not result.is_error
    assert result.structured_content["text"] == answer["text"]
    assert result.structured_content["evidence"] == answer["evidence"]
    assert result.content[0].text.startswith(answer["text"])


def test_found_moments_are_those_of_python_with_a_picture_each(call, sift):
    result = call("find_in_video", video=CLIP, query=QUESTION, images=2)
    found = sift.find(CLIP, QUESTION, 2)
    assert result.structured_content["moments"] == [part.metadata() for part in found]
    assert len(pictures(result)) == len(found)


def test_nothing_found_is_said_in_words(call):
    result = call("find_in_video", video=CLIP, query="a red star")
    line = f"nothing in {CLIP!r} is like 'a red star'"
    assert not result.is_error
    assert result.structured_content == {"moments": [], "warnings": [line]}
    assert result.content[0].text.startswith(f"Warning: {line}\nNo moment matches")
    assert not pictures(result)


def test_compression_shows_few_small_pictures_and_counts(call, sift):
    wide = "synthetic://number?seed=3&width=1024&height=576&seconds=3"
    result = call("compress_video", video=wide, compression_ratio=0.5, images=2)
    report = sift.compress(wide).report
    given = result.structured_content
    assert given["tokens_in"] == report.tokens_in
    assert given["tokens_out"] * 2 == report.tokens_in
    assert [image.format for image in pictures(result)] == ["JPEG", "JPEG"]
    assert [max(image.size) for image in pictures(result)] == [768, 768]
    assert len(given["keyframes"]) == 2
    assert {block.type for block in result.content} == {"text", "image"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"video": "/etc/passwd"}, "file of this machine"),
        ({"video": "http://127.0.0.1/a.mp4"}, "private address"),
        ({"video": "synthetic://nothing"}, "unknown scene"),
        ({"strategy": "temporl"}, "did you mean 'temporal'"),
        ({"compression_ratio": 0.1}, "0.25"),
        ({"images": 99}, "8"),
    ],
)
def test_bad_input_is_an_error_that_the_model_can_read(call, arguments, words):
    result = call("compress_video", **{"video": CLIP, **arguments})
    assert result.is_error
    assert words in result.content[0].text
    assert "Traceback" not in result.content[0].text


def test_the_strategy_of_the_server_is_that_of_answers_and_calls(call):
    server, asked = Tools(strategy="pllava", keep=0.3), {"video": CLIP, "question": QUESTION}
    expected = VideoCompressor(vlm="tiny", strategy="pllava", keep=0.3).ask(CLIP, QUESTION)
    answer = call("ask_video", of=server, **asked).structured_content
    assert answer["usage"]["visual_tokens_after"] == expected.usage.visual_tokens_after
    assert answer["warnings"] == expected.warnings
    shown = [call("compress_video", of=server, video=CLIP, **s) for s in ({}, {"strategy": "evs"})]
    assert [each.structured_content["strategy"] for each in shown] == ["pllava", "evs"]


@dataclass(frozen=True, kw_only=True)
class Trained(Random):
    """A strategy that reads a folder."""

    folder: Reachable | None = None
    """Where it reads."""


def test_a_call_names_no_folder_of_weights_but_the_server_s(call, monkeypatch):
    get = Registry.get
    monkeypatch.setattr(
        Registry, "get", lambda self, name: Trained if name == "trained" else get(self, name)
    )
    server = Tools(strategy="trained:folder=/srv/weights")
    for given in ({}, {"strategy": "trained:folder=/srv/weights"}):
        assert not call("compress_video", of=server, video=CLIP, **given).is_error
    refused = call("compress_video", of=server, video=CLIP, strategy="trained:folder=/etc")
    assert refused.is_error
    assert "may not name files" in refused.content[0].text


def test_an_empty_question_is_refused(call):
    assert call("ask_video", video=CLIP, question="  ").is_error


def test_a_model_that_does_not_exist_names_those_that_do(call):
    result = call("ask_video", of=Tools("nobody"), video=CLIP, question=QUESTION)
    assert result.is_error
    assert "tiny" in result.content[0].text


@pytest.mark.parametrize("tool", ["ask_video", "find_in_video"])
def test_without_a_named_model_questions_are_for_synthetic_videos_only(call, tool, tmp_path):
    with framesift.open_video(CLIP) as local:
        path = Path(shutil.copy(local.path, tmp_path / "talk.mp4"))
    words = {"ask_video": "question", "find_in_video": "query"}[tool]
    given = {"video": str(path), words: "Who is speaking?"}
    refused = call(tool, of=Tools(folders=[tmp_path]), **given)
    # What is written and said can be searched without a model.
    assert refused.is_error == (tool == "ask_video")
    assert "start this server with --vlm llava-hf/" in refused.content[0].text
    named = call(tool, of=Tools("tiny", folders=[tmp_path]), **given)
    warning = named.structured_content["warnings"][0]
    assert "trained on synthetic:// videos only" in warning
    assert named.content[0].text.startswith(f"Warning: {warning}\n")


def test_what_a_server_without_a_named_model_cannot_do_is_said_before_it_is_tried(connected):
    async def work(tools):
        async with connected(tools) as client:
            listed = (await client.list_tools()).tools
            return {tool.name: "--vlm" in tool.description for tool in listed}

    limited = {
        "list_videos": False,
        "compress_video": False,
        "read_video_text": False,
        "ask_video": True,
        "find_in_video": True,
    }
    assert anyio.run(work, Tools()) == limited
    assert not any(anyio.run(work, Tools("tiny")).values())


def test_files_are_opened_from_allowed_folders_only(call, tmp_path):
    inside, outside = tmp_path / "videos", tmp_path / "private"
    with framesift.open_video("synthetic://number?seed=3&seconds=2") as local:
        for folder in (inside, outside):
            folder.mkdir()
            (folder / "a clip.mp4").write_bytes(local.path.read_bytes())
    (inside / "way out.mp4").symlink_to(outside / "a clip.mp4")
    allowed = Tools(folders=[inside])
    refused = [outside / "a clip.mp4", inside / ".." / "private" / "a clip.mp4"]
    for path in (*refused, inside / "way out.mp4", "way out.mp4#t=0"):
        result = call("compress_video", of=allowed, video=str(path), images=1)
        assert result.is_error, path
        line = result.content[0].text
        assert "is outside of what may be opened" in line or "links are not followed" in line
    for spelled in ("a clip.mp4", str(inside / "a clip.mp4"), f"file://{inside}/a clip.mp4"):
        result = call("compress_video", of=allowed, video=spelled, images=1)
        assert not result.is_error, result.content[0].text


def test_a_part_of_a_file_is_another_video(call, tmp_path):
    with framesift.open_video(CLIP) as local:
        path = Path(shutil.copy(local.path, tmp_path / "clip.mp4"))
    allowed, sift = Tools("tiny", folders=[tmp_path]), VideoCompressor(vlm="tiny")
    for video in (str(path), f"{path}#t=0,2", f"file://{path}#t=3"):
        expected = sift.ask(video, QUESTION, evidence="attention")
        asked = call("ask_video", of=allowed, video=video, question=QUESTION).structured_content
        assert asked["usage"]["visual_tokens_before"] == expected.usage.visual_tokens_before
        assert asked["text"] == expected.text
        shown = call("compress_video", of=allowed, video=video).structured_content
        assert shown["tokens_in"] == expected.usage.visual_tokens_before
    refused = call("ask_video", of=allowed, video=f"{path}#t=5,2", question=QUESTION)
    assert "leaves nothing" in refused.content[0].text


def test_progress_grows_through_all_stages(connected):
    told = []

    async def note(progress, total, message):
        told.append((progress, message))

    async def work():
        async with connected() as client:
            arguments = {"video": "synthetic://mixed?seconds=20", "images": 1}
            await client.call_tool("compress_video", arguments, progress_callback=note)

    anyio.run(work)
    steps = [progress for progress, _ in told]
    assert steps == sorted(set(steps))
    assert told[0][1].startswith("draw: ")
    assert len(steps) > 1


def test_a_call_that_is_given_up_stops_the_work(connected):
    async def work():
        endless = {"video": "synthetic://number?seconds=7200", "images": 1}
        async with connected() as client:
            with anyio.move_on_after(1.0) as scope:
                await client.call_tool("compress_video", endless)
            assert scope.cancelled_caught
            with anyio.fail_after(60):
                short = {"video": "synthetic://static?seconds=1", "images": 1}
                return await client.call_tool("compress_video", short)

    assert not anyio.run(work).is_error


def test_a_call_ends_at_its_limit_plans_included(call, monkeypatch):
    found = call("compress_video", of=Tools(max_seconds=0.01), video=CLIP)
    assert found.is_error
    assert "after its limit of 0.01 s" in found.content[0].text
    monkeypatch.setattr("framesift.strategies.base.MULTIPLICATIONS_PER_SECOND", 1e3)
    found = call("compress_video", video=CLIP, strategy="scissor")
    assert found.is_error
    assert "'scissor' needs at least" in found.content[0].text


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"video": CLIP, "images": 99}, "images=99 is not allowed: input should be less than"),
        ({}, "needs video; give it"),
        ({"video": CLIP, "ratio": 0.5}, "has no option 'ratio'; did you mean 'compression_ratio'?"),
        ({"video": CLIP, "selectr": "uniform"}, "did you mean 'selector'?"),
    ],
)
def test_wrong_arguments_are_one_line(call, wrong, line):
    refused = call("compress_video", **wrong)
    assert refused.is_error
    assert line in refused.content[0].text
    assert "\n" not in refused.content[0].text


def test_a_server_is_ready_before_torch_is_imported():
    code = (
        "import sys, framesift_mcp as server\n"
        "server.create_server(server.Tools())\n"
        "print({'torch', 'numpy', 'transformers'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
