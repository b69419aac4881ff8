"""A stranger's odd address is an answer of every surface, never a crash of it."""

import time

import anyio
import pytest
from fastapi.testclient import TestClient
from langchain_core.messages import ToolMessage
from mcp.client import Client

from framesift.errors import FramesiftError
from framesift_mcp import Tools, create_server
from framesift_server import Settings, create_app
from langchain_framesift.loader import VideoLoader
from langchain_framesift.tools import CompressVideoTool
from llama_index.readers.framesift import FramesiftVideoReader

ODD = [
    "http://[::1",
    "http://a.example:99999999/",
    "http://a..b/",
    "youtube.com/watch?v=\ud83d&t=[",
    "~nosuchuser/x",
    "file://[::1",
    "a\0b",
    "x" * 5000,
    "data:,",
    "data:video/mp4;base64,!",
    "synthetic://number?seconds=1e9",
    "http://a.example/?" + "auth" * 25_000,
    "#t=" + "1" * 100_000,
]
READABLE = [address for address in ODD if "\ud83d" not in address]
"""Those that JSON in UTF-8 can carry."""


def told(address):
    return ascii(address)[:30]


@pytest.fixture(scope="module")
def client():
    settings = Settings(allow_synthetic=True)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("route", ["compress", "keyframes", "ask", "jobs"])
@pytest.mark.parametrize("address", READABLE, ids=told)
def test_the_server_answers_with_a_problem(client, route, address):
    asked = {"video": address}
    if route == "ask":
        asked["question"] = "What?"
    if route == "jobs":
        asked["kind"] = "keyframes"
    start = time.monotonic()
    answer = client.post(f"/v1/{route}", json=asked)
    if route == "jobs":
        place = answer.headers["Location"]
        while (state := client.get(place).json())["status"] in ("waiting", "running"):
            time.sleep(0.01)
        problem = state["problem"]
    else:
        problem = answer.json()
    assert 400 <= problem["status"] < 500, problem
    assert "\n" not in problem["detail"]
    assert len(problem["detail"]) < 1500
    assert time.monotonic() - start < 10, "a long text must not hold up the server"


def test_mcp_says_it_to_the_agent():
    async def work():
        async with Client(create_server(Tools())) as client:
            return [
                await client.call_tool("compress_video", {"video": address}) for address in READABLE
            ]

    for result in anyio.run(work):
        assert result.is_error
        assert "\n" not in result.content[0].text


@pytest.mark.parametrize("address", ODD, ids=told)
def test_langchain_says_it_to_the_agent(address):
    call = {"name": "compress_video", "args": {"video": address}, "id": "1", "type": "tool_call"}
    message = CompressVideoTool().invoke(call)
    assert isinstance(message, ToolMessage)
    assert message.status == "error"
    with pytest.raises(FramesiftError):
        VideoLoader(address).load()


@pytest.mark.parametrize("address", ODD, ids=told)
def test_llama_index_raises_an_error_of_ours(address):
    with pytest.raises(FramesiftError):
        FramesiftVideoReader().load_data(address)
