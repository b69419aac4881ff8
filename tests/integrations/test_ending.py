"""SIGTERM ends what serves with 143 and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

SERVE = "import sys; from framesift.cli import main; sys.argv[1:1] = ['serve']; main()"
MCP = "import framesift_mcp; framesift_mcp.main()"
ENDLESS = b'{"video": "synthetic://mixed?seconds=7200&width=1280&height=720"}'


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


@pytest.fixture
def start(tmp_path, tmp_path_factory):
    """Starts a program with a folder for temporary files of its own; ends it."""
    started, state = [], tmp_path_factory.mktemp("state")

    def begin(program, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(state)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def wait_for(answers):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if answers():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError


def end(process):
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60)


@pytest.mark.slow
def test_a_server_with_a_request_under_way_ends(start, tmp_path):
    port = free_port()
    process = start(SERVE, "--port", port, "--allow-synthetic", "--grace-seconds", "1")
    address = f"http://127.0.0.1:{port}"
    wait_for(lambda: urllib.request.urlopen(f"{address}/health", timeout=5).status == 200)
    request = urllib.request.Request(
        f"{address}/v1/keyframes", ENDLESS, {"Content-Type": "application/json"}
    )

    def ask():
        try:
            urllib.request.urlopen(request, timeout=60)
        except OSError:
            return

    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: list(tmp_path.iterdir()))
    start_seconds = time.monotonic()
    assert end(process) == 143
    assert time.monotonic() - start_seconds < 20
    asking.join()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("http", [False, True])
def test_a_server_of_mcp_ends_though_its_client_says_nothing(start, tmp_path, http):
    port = free_port()
    process = start(MCP, *(("--http", "--port", port) if http else ()))
    if http:
        wait_for(lambda: socket.create_connection(("127.0.0.1", int(port))).close() is None)
    else:
        request = (
            b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": '
            b'"2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}}\n'
        )
        process.stdin.write(request)
        process.stdin.flush()
        assert b"serverInfo" in process.stdout.readline()
    assert end(process) == 143
    assert list(tmp_path.iterdir()) == []
