"""On every surface a selector that reads the question picks other frames for another question."""

import json
import re
from dataclasses import dataclass
from typing import ClassVar

import anyio
import pytest
import torch
from click.testing import CliRunner
from fastapi.testclient import TestClient
from langchain_core.messages import ToolCall
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle
from mcp.client import Client

import framesift
from framesift.cli.commands import app
from framesift.errors import FramesiftError, InvalidOptionError
from framesift.registry import Registry
from framesift.scorers.base import Scorer, Scores
from framesift.vlms.tiny import Tiny
from framesift_lmms_eval.selection import FrameSelection
from framesift_mcp import Tools, create_server
from framesift_server import Settings, create_app
from langchain_framesift import ChatFramesift, CompressVideoTool, VideoCompressor
from llama_index.llms.framesift import FramesiftMultiModalLLM
from llama_index.readers.framesift import FramesiftFramePostprocessor, FramesiftVideoReader

CLIP = "synthetic://number?seed=3&seconds=12"
SELECTOR = "topk:scorer=asked"


@dataclass(frozen=True, kw_only=True)
class Asked(Scorer):
    """Prefers frames near the second that the question names."""

    summary: ClassVar[str] = "the second in the question"

    def rate(self, candidates, question, places):
        second = float(re.search(r"\d+", question)[0])
        near = -(candidates.pts_seconds[list(places)] - second).abs()
        return Scores(values=near.to(torch.float32), reasons=("near it",) * len(places))


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    get = Registry.get
    monkeypatch.setattr(
        Registry, "get", lambda self, name: Asked if name == "asked" else get(self, name)
    )


@pytest.fixture(scope="module")
def vlm():
    return framesift.load_vlm("tiny")


def question(second):
    return f"What is shown at second {second}?"


def by_python(second):
    sift = framesift.VideoCompressor(selector=SELECTOR, max_frames=1)
    (frame,) = sift.keyframes(CLIP, 1, question(second))
    report = sift.compress(CLIP, question(second)).report.selection
    assert report.picked_seconds == [frame.pts_seconds]
    assert len(report.curve) == 12
    return frame.pts_seconds


def by_command(second):
    asked = ["keyframes", CLIP, "-n", "1", "--selector", SELECTOR, "-q", question(second)]
    done = CliRunner().invoke(app, [*asked, "--json"])
    return json.loads(done.stdout)["keyframes"][0]["pts_seconds"]


def by_langchain_tool(second):
    call = {"video": CLIP, "question": question(second)}
    tool = CompressVideoTool(selector=SELECTOR, max_images=1)
    artifact = tool.invoke(ToolCall(type="tool_call", id="1", name=tool.name, args=call)).artifact
    return artifact["keyframes"][0]["pts_seconds"]


def by_http(second):
    asked = {"video": CLIP, "question": question(second), "selector": SELECTOR}
    with TestClient(create_app(Settings(allow_synthetic=True))) as client:
        (frame,) = client.post("/v1/keyframes", json={**asked, "count": 1}).json()["keyframes"]
        made = client.post("/v1/compress", json={**asked, "max_frames": 1}).json()
        answer = client.post("/v1/ask", json={**asked, "max_frames": 1}).json()
        listed = client.get("/v1/scorers").json()
    assert set(made["pts_seconds"]) == {frame["pts_seconds"]}
    assert answer["usage"]["visual_tokens_before"] == 64
    assert {"text", "novelty"} <= {scorer["name"] for scorer in listed}
    return frame["pts_seconds"]


def by_mcp(second):
    async def calls():
        async with Client(create_server(Tools())) as client:
            asked = {"video": CLIP, "question": question(second), "selector": SELECTOR}
            shown = await client.call_tool("compress_video", {**asked, "images": 1})
            answer = await client.call_tool("ask_video", {**asked, "max_frames": 1})
            return shown.structured_content, answer.structured_content

    shown, answer = anyio.run(calls)
    assert answer["usage"]["visual_tokens_before"] == 64
    return shown["keyframes"][0]["pts_seconds"]


def by_lmms_eval(second):
    sift = framesift.VideoCompressor(selector=SELECTOR)
    item = {"type": "video", "url": CLIP}
    return FrameSelection(compressor=sift, count=1).frames(item, question(second)).seconds[0]


SURFACES = [by_python, by_command, by_langchain_tool, by_http, by_mcp, by_lmms_eval]


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.__name__)
def test_the_frame_is_the_one_that_the_question_names(surface):
    assert surface(3) == 3.0
    assert surface(7) == 7.0


def test_a_step_of_a_chain_shows_the_frame_that_the_question_names():
    step = VideoCompressor(count=1, selector=SELECTOR, limits=framesift.FetchLimits())
    for second in (3, 7):
        (picture,) = step.invoke([{"role": "user", "content": _content(second)}]).pictures
        assert picture.seconds == second


def _content(second):
    return [{"type": "video", "url": CLIP}, {"type": "text", "text": question(second)}]


def test_chat_models_look_at_the_frames_that_the_question_names(vlm, monkeypatch):
    # The tiny model says that no frame answers such a question, which rests on no stretch.
    monkeypatch.setattr(Tiny, "denials", frozenset())
    chat = ChatFramesift(
        model="tiny", selector=SELECTOR, max_frames=1, limits=framesift.FetchLimits()
    )
    for second in (3, 7):
        message = chat.invoke([{"role": "user", "content": _content(second)}])
        (part,) = message.response_metadata["evidence"][:1]
        assert part["keyframe_seconds"] == second
    llm = FramesiftMultiModalLLM(model=vlm, selector=SELECTOR, max_frames=1)
    assert llm.selector == SELECTOR


def test_retrieved_pictures_are_kept_for_the_query(tmp_path):
    documents = FramesiftVideoReader(segment_seconds=2, cache_dir=tmp_path).load_data(CLIP)[1:]
    nodes = [
        NodeWithScore(node=ImageNode(image_path=each.image_path, metadata=each.metadata))
        for each in documents
    ]
    step = FramesiftFramePostprocessor(max_frames=1, selector=SELECTOR)
    for place in (1, 4):
        kept = step.postprocess_nodes(nodes, QueryBundle(question(place)))
        assert kept == [nodes[place]]


def test_kept_pictures_say_that_their_scores_mean_nothing(tmp_path, monkeypatch):
    line = "its scores mean nothing"
    monkeypatch.setattr(
        Asked, "limitation", lambda self, uri: None if "synthetic://" in uri else line
    )
    documents = FramesiftVideoReader(segment_seconds=2, cache_dir=tmp_path).load_data(CLIP)[1:]
    step = FramesiftFramePostprocessor(max_frames=1, selector=SELECTOR)
    for source, warned in ((CLIP, None), ("talk.mp4", line)):
        nodes = [
            NodeWithScore(
                node=ImageNode(
                    image_path=each.image_path, metadata={**each.metadata, "source": source}
                ),
                score=0.5,
            )
            for each in documents
        ]
        (kept,) = step.postprocess_nodes(nodes, QueryBundle(question(4)))
        assert (kept.metadata.get("warnings"), kept.score) == (warned, 0.5)
        assert not any("warnings" in node.metadata for node in nodes)


def test_half_a_character_in_a_question_breaks_no_report():
    sift = framesift.VideoCompressor(selector=SELECTOR, max_frames=1)
    report = sift.compress(CLIP, "\ud800 at second 3").report
    assert report.selection.picked_seconds == [3.0]
    assert json.loads(report.model_dump_json())["selection"]["question"] == "\ufffd at second 3"


def test_a_selector_without_a_limit_is_not_passed_over_by_an_agent_s_question():
    async def call(selector):
        async with Client(create_server(Tools())) as client:
            asked = {"video": CLIP, "question": question(3), "selector": selector}
            return await client.call_tool("ask_video", asked)

    for selector, said in (
        (SELECTOR, "give max_frames too"),
        ("nonsense", "unknown selector"),
        ("topk:scorer=[clip:model=a/b]", "may not name files"),
    ):
        refused = anyio.run(call, selector)
        assert refused.is_error
        assert said in refused.content[0].text


def test_a_chat_that_is_open_says_which_selectors_read_no_question(vlm):
    sift = framesift.VideoCompressor(vlm=vlm, selector=SELECTOR, max_frames=4)
    with pytest.raises(InvalidOptionError, match="selector='keyframes'") as caught:
        sift.open(CLIP)
    assert SELECTOR in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sift.find(CLIP, question(3), 1) is not None
    with framesift.VideoCompressor(vlm=vlm, max_frames=4).open(CLIP) as chat:
        assert chat.ask(question(3)).usage.visual_tokens_before == 4 * 64


def test_a_question_that_is_missing_is_one_line_on_the_command_line():
    with pytest.raises(FramesiftError, match="needs none") as caught:
        CliRunner().invoke(app, ["keyframes", CLIP, "--selector", SELECTOR], catch_exceptions=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tool", ["compress_video", "ask_video"])
def test_calls_over_mcp_may_not_name_files_unless_they_were_allowed(tool):
    spec = "topk:scorer=[file:path=/etc/passwd]"

    async def call(allowed):
        async with Client(create_server(Tools(selectors=allowed))) as client:
            asked = {"video": CLIP, "question": question(3), "selector": spec}
            asked |= {"max_frames": 1} if tool == "ask_video" else {}
            return await client.call_tool(tool, asked)

    refused = anyio.run(call, ())
    assert refused.is_error
    assert "file:path=/etc/passwd" in refused.content[0].text
    assert "may not name files" in refused.content[0].text
    allowed = anyio.run(call, (spec,))
    assert allowed.is_error
    assert "may not name files" not in allowed.content[0].text
