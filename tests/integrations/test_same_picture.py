"""One picture and one question: every surface shows it to the model as an image with its tiles."""

import json
from base64 import b64encode

import anyio
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from mcp.client import Client
from PIL import Image

import framesift
from framesift.cli.commands import app
from framesift.testing.samples import random_frames
from framesift.testing.tiny_vlms import TINY_VLMS
from framesift_mcp import Tools, create_server
from framesift_server import Settings, create_app
from langchain_framesift import ChatFramesift
from llama_index.llms.framesift import FramesiftMultiModalLLM

QUESTION = "What?"
TOKENS = 28
"""Visual tokens of the picture: six tiles and the whole, four each."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smolvlm")
    TINY_VLMS["smolvlm"].build(folder)
    return str(folder)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    Image.fromarray(random_frames(1, (50, 90)).data[0]).save(path)
    return path


@pytest.fixture(scope="module")
def chat(model):
    return ChatFramesift(model=model)


def shown(photo):
    image = {"type": "image", "base64": b64encode(photo.read_bytes()).decode()}
    return {**image, "mime_type": "image/png"}


def test_the_command_line_takes_a_picture(model, photo):
    done = CliRunner().invoke(app, ["ask", str(photo), QUESTION, "--vlm", model, "--json"])
    assert json.loads(done.stdout)["usage"]["visual_tokens_before"] == TOKENS
    told = CliRunner().invoke(app, ["compress", str(photo), "--vlm", model]).stdout
    assert "a picture of 90x50 px" in told
    assert "views     7 -> " in told


def test_langchain_takes_pictures(chat, photo):
    content = [shown(photo), shown(photo), {"type": "text", "text": QUESTION}]
    message = chat.invoke([{"role": "user", "content": content}])
    assert message.response_metadata["visual_tokens_before"] == 2 * TOKENS


def test_llama_index_takes_pictures(model, photo):
    llm = FramesiftMultiModalLLM(model=framesift.load_vlm(model))
    blocks = [ImageBlock(path=photo), TextBlock(text=QUESTION)]
    response = llm.chat([ChatMessage(role="user", blocks=blocks)])
    assert response.raw["usage"]["visual_tokens_before"] == TOKENS


def test_http_takes_pictures(model, photo):
    with TestClient(create_app(Settings(models=(model,)))) as client:
        files = {"file": ("photo.png", photo.read_bytes())}
        video = client.post("/v1/uploads", files=files).json()["video"]
        answer = client.post("/v1/ask", json={"video": video, "question": QUESTION}).json()
    assert answer["usage"]["visual_tokens_before"] == TOKENS


def test_mcp_takes_pictures(model, photo):
    async def call():
        async with Client(create_server(Tools(model, folders=[photo.parent]))) as client:
            asked = {"video": str(photo), "question": QUESTION}
            return await client.call_tool("ask_video", asked)

    answer = anyio.run(call).structured_content
    assert answer["usage"]["visual_tokens_before"] == TOKENS
