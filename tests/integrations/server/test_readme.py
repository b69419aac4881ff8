"""The page of the server: what can be pasted works."""

import json
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from pytest_examples import CodeExample, EvalExample, find_examples
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from framesift_server import Settings, create_app
from framesift_server.gateway import GatewaySettings, create_gateway
from framesift_server.keys import Keys

PAGE = Path(__file__).parents[3] / "integrations" / "server" / "README.md"
RECIPES = PAGE.parents[2] / "docs" / "recipes.md"
SHOWN = "http://127.0.0.1:8080"
CURL = re.compile(re.escape(SHOWN) + r"(\S+) [^\n]*-d '(\{.*?\})'", re.DOTALL)


@contextmanager
def listening(app):
    """Serves an app on loopback at a port of its own; gives the address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    settings = Settings(allow_synthetic=True, state_folder=tmp_path_factory.mktemp("state"))
    with listening(create_app(settings)) as address:
        yield address


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway before an engine that takes pictures in messages of the user."""

    async def chat(request):
        (message,) = (await request.json())["messages"]
        assert {part["type"] for part in message["content"]} == {"text", "image_url"}
        choice = {"index": 0, "message": {"role": "assistant", "content": "Much."}}
        return JSONResponse({"choices": [choice], "usage": {"total_tokens": 9}})

    engine = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    with listening(engine) as upstream:
        settings = GatewaySettings(
            upstream=f"{upstream}/v1",
            allow_synthetic=True,
            state_folder=tmp_path_factory.mktemp("state"),
        )
        with listening(create_gateway(settings)) as address:
            yield address


@pytest.mark.parametrize("example", list(find_examples(str(PAGE))), ids=str)
def test_python_blocks_run_and_print_what_they_say(
    example: CodeExample, eval_example: EvalExample, address, gateway, monkeypatch
):
    monkeypatch.delenv("FRAMESIFT_ALLOW_HOST")  # readers do not set what the tests do
    for name in ("get", "post"):
        real = getattr(httpx, name)

        def send(url, real=real, **given):
            there = gateway if "/v1/chat/" in url else address
            return real(url.replace(SHOWN, there), **given)

        monkeypatch.setattr(httpx, name, send)
    eval_example.run_print_check(example)


@pytest.mark.parametrize(("path", "body"), CURL.findall(PAGE.read_text() + RECIPES.read_text()))
def test_what_curl_sends_is_accepted(client, path, body):
    response = client.post(path, json=json.loads(body))
    assert response.status_code in (200, 202), response.text


def test_the_file_of_keys_is_read(tmp_path):
    (block,) = re.findall("```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "keys.toml"
    path.write_text(block)
    keys = Keys.of(Settings(keys_file=path))
    found = keys.of_header("Bearer a-key-of-at-least-16-characters")
    assert (found.name, found.operator) == ("prometheus", True)


def test_the_options_that_are_named_are_those_of_the_server():
    named = set(re.findall("`--([a-z][a-z-]+)", PAGE.read_text()))
    fields = {**Settings.model_fields, **GatewaySettings.model_fields}
    there = {name.replace("_", "-") for name in fields}
    of_vllm = {"enable-mm-embeds", "enable-prompt-embeds"}
    assert named - there == {"no-compile", *of_vllm}


def test_there_is_something_to_send():
    assert len(CURL.findall(PAGE.read_text())) == 4
    assert len(CURL.findall(RECIPES.read_text())) == 1
