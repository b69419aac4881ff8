"""How the server is reached."""

import sys

import anyio
import pytest
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
        "mcp.server.mcpserver.MCPServer.run",
        lambda self, transport, **options: started.update(transport=transport, **options),
    )
    main(["--http", "--host", "0.0.0.0", "--port", "9000", "--allow-host", "video.example.org"])
    assert started["transport"] == "streamable-http"
    assert (started["host"], started["port"]) == ("0.0.0.0", 9000)
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
