"""The fast way of resizing large frames is an option of every surface, and is off by default."""

import anyio
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from langchain_core.messages import ToolCall
from llama_index.core.llms import ChatMessage, TextBlock, VideoBlock
from mcp.client import Client

import framesift
from framesift.cli.commands import app
from framesift.compression.opening import FrameReader
from framesift_mcp import Tools, create_server
from framesift_server import Settings, create_app
from langchain_framesift import AskVideoTool, VideoCompressor
from llama_index.llms.framesift import FramesiftMultiModalLLM

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
FAST = {"resized_by": "decoder"}


def of_the_command_line(**options):
    given = [text for key, value in options.items() for text in (f"--{key}", value)]
    given = [text.replace("_", "-") for text in given]
    result = CliRunner().invoke(app, ["ask", CLIP, QUESTION, *given, "--json"])
    assert result.exit_code == 0, result.output


def of_http(**options):
    with TestClient(create_app(Settings(allow_synthetic=True, **options))) as client:
        assert client.post("/v1/ask", json={"video": CLIP, "question": QUESTION}).is_success


def of_mcp(**options):
    async def call():
        async with Client(create_server(Tools(**options))) as client:
            return await client.call_tool("ask_video", {"video": CLIP, "question": QUESTION})

    assert not anyio.run(call).is_error


def of_a_tool_of_langchain(**options):
    made = AskVideoTool(model="tiny", **options)
    asked = {"video": CLIP, "question": QUESTION}
    made.invoke(ToolCall(type="tool_call", id="1", name=made.name, args=asked))


def of_a_step_of_langchain(**options):
    VideoCompressor(vlm="tiny", **options).invoke(CLIP)


def of_llama_index(**options):
    llm = FramesiftMultiModalLLM(model="tiny", **options)
    llm.chat([ChatMessage(role="user", blocks=[VideoBlock(url=CLIP), TextBlock(text=QUESTION)])])


SURFACES = [
    *(of_the_command_line, of_http, of_mcp),
    *(of_a_tool_of_langchain, of_a_step_of_langchain, of_llama_index),
]


@pytest.fixture
def ways(monkeypatch):
    """What scaled frames down for each encoder that was asked for."""
    seen, own = [], FrameReader.encoder_px

    def noted(reader, encoder):
        if encoder.takes_display_size:
            seen.append(reader.resized_by)
        return own(reader, encoder)

    monkeypatch.setattr(FrameReader, "encoder_px", noted)
    return seen


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("options", [{}, FAST])
def test_each_surface_passes_it_on(ways, surface, options):
    surface(**options)
    assert set(ways) == {options.get("resized_by", "model")}


def test_another_way_is_refused():
    with pytest.raises(framesift.InvalidOptionError, match="must be one of: model, decoder"):
        framesift.VideoCompressor(resized_by="nobody")
