"""A video that lost a frame: every surface says so in its result, once."""

import json

import anyio
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from langchain_core.messages import HumanMessage, ToolCall
from llama_index.core.llms import ChatMessage, TextBlock, VideoBlock
from mcp.client import Client

from framesift import VideoCompressor
from framesift.cli.commands import app
from framesift.decoders.pyav import PyavDecoder
from framesift_mcp import Tools, create_server
from framesift_server import Settings, create_app
from langchain_framesift import (
    AskVideoTool,
    ChatFramesift,
    CompressVideoBlocks,
    CompressVideoTool,
    FindInVideoTool,
    VideoLoader,
)
from langchain_framesift import VideoCompressor as VideoPromptCompressor
from llama_index.llms.framesift import FramesiftMultiModalLLM
from llama_index.readers.framesift import FramesiftVideoReader

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
LOST = "a frame was lost"


@pytest.fixture(autouse=True)
def torn(monkeypatch):
    decode = PyavDecoder.decode

    def losing(self, path, indices, *, warn=None, **options):
        warn(LOST)
        yield from decode(self, path, indices, warn=warn, **options)

    monkeypatch.setattr(PyavDecoder, "decode", losing)


def command(*arguments):
    return json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["warnings"]


def http(path, **asked):
    with TestClient(create_app(Settings(allow_synthetic=True))) as client:
        answer = client.post(path, json={"video": CLIP, **asked}).json()
    return answer.get("report", answer)["warnings"]


def mcp(tool, **asked):
    async def call():
        async with Client(create_server(Tools())) as client:
            return await client.call_tool(tool, {"video": CLIP, **asked})

    answer = anyio.run(call)
    assert LOST in answer.content[0].text
    return answer.structured_content["warnings"]


def tool(kind, name, **asked):
    call = ToolCall(type="tool_call", id="1", name=name, args={"video": CLIP, **asked})
    return kind(model="tiny").invoke(call).artifact["warnings"]


def langchain_chat():
    blocks = [{"type": "video", "url": CLIP}, {"type": "text", "text": QUESTION}]
    said = ChatFramesift(model="tiny").invoke([{"role": "user", "content": blocks}])
    return said.response_metadata["warnings"]


def llama_index_chat():
    blocks = [VideoBlock(url=CLIP), TextBlock(text=QUESTION)]
    llm = FramesiftMultiModalLLM(model="tiny")
    return llm.chat([ChatMessage(role="user", blocks=blocks)]).raw["warnings"]


def langchain_messages(step):
    blocks = [{"type": "video", "url": CLIP}, {"type": "text", "text": QUESTION}]
    (message,) = step(blocks)
    return message.response_metadata["warnings"]


def blocks_rewritten(blocks):
    step = CompressVideoBlocks(compressor=VideoPromptCompressor(count=2))
    return step.invoke([{"role": "user", "content": blocks}])


def mapping_rewritten(blocks):
    step = VideoPromptCompressor(count=2)
    return step.invoke({"video": [HumanMessage(blocks)]})["video"]


WAYS = {
    "compress": lambda: command("compress", CLIP),
    "keyframes": lambda: command("keyframes", CLIP, "-n", "2"),
    "segments": lambda: command("segments", CLIP),
    "ask": lambda: command("ask", CLIP, QUESTION),
    "POST compress": lambda: http("/v1/compress", outputs=["keyframes"], count=2),
    "POST keyframes": lambda: http("/v1/keyframes", count=2),
    "POST ask": lambda: http("/v1/ask", question=QUESTION),
    "mcp compress": lambda: mcp("compress_video", images=2),
    "mcp ask": lambda: mcp("ask_video", question=QUESTION),
    "mcp find": lambda: mcp("find_in_video", query=QUESTION),
    "tool compress": lambda: tool(CompressVideoTool, "compress_video"),
    "tool ask": lambda: tool(AskVideoTool, "ask_video", question=QUESTION),
    "tool find": lambda: tool(FindInVideoTool, "find_in_video", query=QUESTION),
    "langchain chat": langchain_chat,
    "langchain prompt": lambda: VideoPromptCompressor(count=2).invoke(CLIP).warnings,
    "langchain tokens": lambda: VideoPromptCompressor(vlm="tiny").invoke(CLIP).warnings,
    "langchain blocks": lambda: langchain_messages(blocks_rewritten),
    "langchain mapping": lambda: langchain_messages(mapping_rewritten),
    "llama-index chat": llama_index_chat,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_result_of_each_surface_holds_the_warning_once(way):
    assert WAYS[way]() == [LOST]


def test_documents_say_what_went_wrong_when_they_were_made(tmp_path):
    (part,) = VideoLoader(CLIP, keyframe_folder=tmp_path).lazy_load()
    assert part.metadata["warnings"] == LOST
    reader = FramesiftVideoReader(cache_dir=tmp_path)
    for _ in range(2):
        assert {doc.metadata["warnings"] for doc in reader.load_data(CLIP)} == {LOST}


def test_documents_of_a_good_video_have_no_such_entry(tmp_path, monkeypatch):
    monkeypatch.undo()
    (part,) = VideoLoader(CLIP, keyframe_folder=tmp_path).lazy_load()
    assert "warnings" not in part.metadata
    assert VideoCompressor(vlm="tiny").ask(CLIP, QUESTION).warnings == []
