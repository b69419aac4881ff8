"""How the server is reached."""

import sys
import threading
import time
from functools import partial

import anyio
import pytest
import uvicorn
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from starlette.testclient import TestClient

import framesift_mcp
from framesift_mcp import create_server, main, security

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"accept": "application/json, text/event-stream"}


@pytest.fixture
def served():
    """The address of a server that listens over HTTP."""
    app = create_server().streamable_http_app(transport_security=security())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = server.force_exit = True
    thread.join(timeout=60)


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8000", None, 200),
        ("127.0.0.1:8000", "http://localhost:3000", 200),
        ("video.example.org", "https://video.example.org", 200),
        ("evil.example.org", None, 421),
        ("localhost.evil.example.org:8000", None, 421),
        ("localhost:8000", "https://evil.example.org", 403),
    ],
)
def test_http_answers_only_under_known_names(host, origin, status):
    app = create_server().streamable_http_app(transport_security=security(["video.example.org"]))
    headers = {"host": host, **ACCEPT, **({"origin": origin} if origin else {})}
    with TestClient(app) as client:
        assert client.post("/mcp", json=HELLO, headers=headers).status_code == status


def test_http_is_started_with_the_protection_on(monkeypatch):
    started = {}
    monkeypatch.setattr(
        "mcp.server.mcpserver.MCPServer.streamable_http_app",
        lambda self, **options: started.update(options),
    )
    monkeypatch.setattr(
        "uvicorn.Server.run",
        lambda self: started.update(bound=(self.config.host, self.config.port)),
    )
    main(["--http", "--host", "0.0.0.0", "--port", "9000", "--allow-host", "video.example.org"])
    assert started["bound"] == ("0.0.0.0", 9000)
    assert started["transport_security"].enable_dns_rebinding_protection
    assert "video.example.org:*" in started["transport_security"].allowed_hosts
    assert "0.0.0.0" not in started["transport_security"].allowed_hosts


def test_stdio_is_the_default(monkeypatch):
    started = []
    monkeypatch.setattr(
        "mcp.server.mcpserver.MCPServer.run", lambda self, transport: started.append(transport)
    )
    main([])
    assert started == ["stdio"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_command_speaks_over_stdio(mode):
    command = StdioServerParameters(
        command=sys.executable,
        args=["-c", f"from {framesift_mcp.__name__} import main; main()"],
    )

    async def work():
        async with Client(stdio_client(command), mode=mode) as client:
            asked = {"video": "synthetic://number?seed=3", "question": "What number flashes?"}
            return await client.call_tool("ask_video", asked)

    assert not anyio.run(work).is_error


def test_two_clients_over_http_are_answered_side_by_side(served):
    """A list waits for no model, and each client gets its own answer and progress."""
    told = {1: [], 2: []}

    async def work():
        async def ask(number, seconds):
            async def note(progress, total, message):
                told[number].append(progress)

            async with Client(served) as client:
                asked = {"video": f"synthetic://mixed?seconds={seconds}", "images": 1}
                shown = await client.call_tool("compress_video", asked, progress_callback=note)
                seen[number] = shown.structured_content["duration_seconds"]

        async with anyio.create_task_group() as group:
            group.start_soon(ask, 1, 6)
            group.start_soon(ask, 2, 3)

    seen = {}
    anyio.run(work)
    assert seen == {1: pytest.approx(6, abs=0.2), 2: pytest.approx(3, abs=0.2)}
    for steps in told.values():
        assert steps == sorted(set(steps))
        assert steps


def test_a_list_is_given_while_a_model_works(served):
    async def work():
        async with Client(served) as busy, Client(served) as other:
            begun = anyio.Event()

            async def note(progress, total, message):
                begun.set()

            endless = {"video": "synthetic://number?seconds=7200", "images": 1}
            async with anyio.create_task_group() as group:
                group.start_soon(
                    partial(busy.call_tool, "compress_video", endless, progress_callback=note)
                )
                with anyio.fail_after(60):
                    await begun.wait()
                    listed = await other.call_tool("list_videos", {})
                group.cancel_scope.cancel()
            return listed

    assert not anyio.run(work).is_error
