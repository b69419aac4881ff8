"""Upstreams that refuse what the real ones refuse, and gateways before them, all on loopback."""

import asyncio
import json
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from framesift_server.gateway import GatewaySettings, create_gateway
from framesift_server.protocol import CONFIG

DEADLINE_SECONDS = 60


def until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def listening(app, **options):
    """Serves an app at a port of its own; gives the address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def refused(message, status=400):
    body = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return JSONResponse({"error": body}, status)


class Engine:
    """An OpenAI-compatible engine: it notes each request, and answers `heard` in a few words."""

    def __init__(self):
        self.requests, self.heads, self.left = [], [], 0
        self.words = ["It", " is", " red."]
        self.pause_seconds = 0.0
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/models", self.models),
                Route("/v1/audio/transcriptions", self.echo, methods=["POST"]),
                Route("/tokenize", self.echo, methods=["POST"]),
                Route("/page", self.page),
            ]
        )

    async def models(self, request):
        self.heads.append(request.headers)
        return JSONResponse({"object": "list", "data": [{"id": "double", "object": "model"}]})

    async def echo(self, request):
        self.heads.append(request.headers)
        content = await request.body()
        return PlainTextResponse(content, headers={"x-query": str(request.url.query)})

    async def page(self, _):
        return PlainTextResponse("<h1>a page</h1>", media_type="text/html")

    def refusal(self, body):
        """Returns the line about what this engine does not take, None for what it does."""
        last = None
        for message in body["messages"]:
            parts = message.get("content") or []
            kinds = {part["type"] for part in parts} if isinstance(parts, list) else set()
            if kinds - {"text"} and message["role"] != "user":
                return f"Unexpected item type in content of role {message['role']}"
            if kinds - {"text", "image_url"}:
                return f"Unknown part type: {sorted(kinds - {'text', 'image_url'})[0]}"
            if message["role"] == last == "user":
                return "Conversation roles must alternate user/assistant/user/assistant/..."
            last = message["role"]
        return None

    async def chat(self, request):
        self.heads.append(request.headers)
        body = json.loads(await request.body())
        self.requests.append(body)
        if body.get("model") != "double":
            return refused(f"The model `{body.get('model')}` does not exist.", 404)
        if line := self.refusal(body):
            return refused(line)
        if body.get("stream"):
            return StreamingResponse(self.events(request, body), media_type="text/event-stream")
        await asyncio.sleep(self.pause_seconds)
        message = {"role": "assistant", "content": "".join(self.words)}
        if body.get("tools"):
            call = {"name": body["tools"][0]["function"]["name"], "arguments": "{}"}
            calls = [{"id": "call_1", "type": "function", "function": call}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        choices = [
            {"index": number, "message": message, "finish_reason": "stop", "logprobs": None}
            for number in range(body.get("n", 1))
        ]
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "double"}
        return JSONResponse({**head, "choices": choices, "usage": usage}, headers={"x-engine": "1"})

    async def events(self, request, body):
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "double"}
        try:
            for word in self.words:
                choice = {"index": 0, "delta": {"role": "assistant", "content": word}}
                yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
                await asyncio.sleep(self.pause_seconds)
            if (body.get("stream_options") or {}).get("include_usage"):
                usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
                yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
            yield "data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.left += 1
            raise


class Scripted:
    """A server that sends what it is told to every client, whatever that asks for."""

    def __init__(self, *parts, keeps_open=False):
        self.parts, self.keeps_open = parts, keeps_open
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        self.clients = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.clients.append(client)
            client.settimeout(DEADLINE_SECONDS)
            client.recv(2**16)
            for part in self.parts:
                client.sendall(part)
            if not self.keeps_open:
                client.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for client in self.clients:
            client.close()
        self.thread.join(30)


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def engine(stack):
    made = Engine()
    made.address = stack.enter_context(listening(made.app)) + "/v1"
    return made


@pytest.fixture
def scripted(stack):
    def start(*parts, **options):
        made = Scripted(*parts, **options)
        stack.callback(made.close)
        return made.address

    return start


@pytest.fixture
def gateway(stack, tmp_path):
    """Starts gateways; returns a client of each."""

    def start(upstream, **settings):
        settings = {"upstream": upstream, "state_folder": tmp_path, **settings}
        app = create_gateway(GatewaySettings(**settings))
        address = stack.enter_context(
            listening(app, server_header=False, date_header=False, **CONFIG)
        )
        client = stack.enter_context(httpx.Client(base_url=address, timeout=DEADLINE_SECONDS))
        client.service = app.state.service
        return client

    return start
