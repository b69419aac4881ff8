"""The process answers before it imports what is heavy, and ends soon after its client."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

MCP = "import framesift_mcp; framesift_mcp.main()"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
HANGS = """
import time, framesift_mcp
from framesift.serving import AllowedFolders

def hang(self, video):
    open(video, "w").close()
    while True:
        time.sleep(3600)  # as a read of a network file system, which no exception ends

AllowedFolders.opened = hang
framesift_mcp.main()
"""
TAKEN_APART_SLOWLY = """
import time, framesift_mcp

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(3600)  # as models and their libraries, which take seconds on a busy machine

slow = Slow()
framesift_mcp.main()
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def call(name, **arguments):
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}


@pytest.fixture
def start(tmp_path):
    """Starts a program that speaks over standard input and output; ends it."""
    started = []

    def begin(program=MCP, *arguments):
        folder = tmp_path / "temporary"
        folder.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait(timeout=60)
        with suppress(OSError):
            process.stdin.close()
        process.stdout.close()


def say(process, *messages):
    for message in messages:
        process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()


def shake_hands(process):
    say(process, HELLO)
    assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "framesift"
    say(process, READY)


def until(done, seconds=90):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ending_seconds(process, how):
    start = time.monotonic()
    how()
    code = process.wait(timeout=60)
    return code, time.monotonic() - start


@linux
def test_the_handshake_is_answered_before_heavy_imports(start):
    process = start()
    shake_hands(process)
    used = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    assert sum(map(int, used)) / os.sysconf("SC_CLK_TCK") < 5  # 0.8 s on a machine at rest
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert not re.search(r"/(torch|transformers|numpy|av|yt_dlp)/", mapped)


@linux
@pytest.mark.parametrize(
    "program",
    [pytest.param(MCP, id="decodes", marks=pytest.mark.slow), pytest.param(HANGS, id="hangs")],
)
@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
def test_the_process_ends_soon_with_work_in_flight(start, tmp_path, how, program):
    process = start(program)
    shake_hands(process)
    busy = tmp_path / "busy"
    if program is HANGS:
        say(process, call("read_video_text", video=str(busy)))
        until(busy.exists)
    else:
        endless = "synthetic://mixed?seconds=7200&width=1280&height=720"
        say(process, call("compress_video", video=endless))
        assert b"notifications/progress" in process.stdout.readline()
    # What is said meanwhile must not block.
    threading.Thread(target=process.stdout.read, daemon=True).start()
    end = process.stdin.close
    if how != "stdin":
        end = lambda: process.send_signal(getattr(signal, how))  # noqa: E731
    code, seconds = ending_seconds(process, end)
    assert code == {"stdin": 0, "SIGTERM": 143, "SIGINT": 130}[how]
    assert seconds < 20, "1.5 s and the cleaning, on a machine at rest"
    assert not list((tmp_path / "temporary").glob("framesift-run-*"))


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
def test_the_process_ends_without_taking_the_interpreter_apart(start, how):
    process = start(TAKEN_APART_SLOWLY)
    shake_hands(process)
    end = process.stdin.close
    if how != "stdin":
        end = lambda: process.send_signal(getattr(signal, how))  # noqa: E731
    code, _ = ending_seconds(process, end)
    assert code == {"stdin": 0, "SIGTERM": 143, "SIGINT": 130}[how]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_over_http_the_process_ends_soon_with_work_in_flight(start, tmp_path, how):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    process, busy = start(HANGS, "--http", "--port", str(port)), tmp_path / "busy"

    def listens():
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    until(listens)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Host": f"127.0.0.1:{port}",
    }

    def post(message, **more):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/mcp", json.dumps(message).encode(), {**headers, **more}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()
            return response.headers["mcp-session-id"]

    session = {"mcp-session-id": post(HELLO)}
    post(READY, **session)

    def ask():
        with suppress(OSError, HTTPException):
            post(call("read_video_text", video=str(busy)), **session)

    threading.Thread(target=ask, daemon=True).start()
    until(busy.exists)
    code, seconds = ending_seconds(process, lambda: process.send_signal(getattr(signal, how)))
    assert code == {"SIGTERM": 143, "SIGINT": 130}[how]
    assert seconds < 20


def test_a_wrong_option_of_the_command_is_one_line():
    command = [sys.executable, "-c", MCP, "--keep", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 2
    assert "keep=7.0" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
