"""Clients that are slow, silent or many: cut off, and others are served meanwhile."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, asynccontextmanager
from types import SimpleNamespace

import anyio
import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from framesift_server.clients import Bounds, Pace, network_of, room_for
from framesift_server.protocol import CONFIG, Clients

HEAD = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n"
WHOLE = HEAD + b"\r\n"
BODY = b"POST /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\n"


async def hello(request):
    return PlainTextResponse(f"{len(await request.body())} bytes")


async def endless(_):
    async def chunks():
        while True:
            yield b"x" * 2**16
            await anyio.sleep(0)

    return StreamingResponse(chunks())


async def large(_):
    return PlainTextResponse(b"x" * 2**25)


async def events(_):
    async def lines():
        for number in range(30):
            yield f"data: {number}\n\n"
            await anyio.sleep(0.1)

    return StreamingResponse(lines())


class Running:
    """A small app behind the protocol, at a port of its own."""

    def __init__(self, **bounds):
        registry = CollectorRegistry()

        @asynccontextmanager
        async def lifespan(_):
            yield {"clients": Clients(Bounds(**{"seconds": 1.0, **bounds}), registry)}

        routes = [
            Route("/hello", hello, methods=["GET", "POST"]),
            Route("/endless", endless),
            Route("/events", events),
            Route("/large", large),
        ]
        app = Starlette(routes=routes, lifespan=lifespan)
        config = uvicorn.Config(
            app,
            port=0,
            log_level="warning",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=1,
            **CONFIG,
        )
        self.server = uvicorn.Server(config)
        self.registry = registry
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def connect(self, sent=b"", address="127.0.0.1"):
        sock = socket.socket()
        sock.settimeout(30)
        sock.bind((address, 0))
        sock.connect(("127.0.0.1", self.port))
        sock.sendall(sent)
        return sock

    def cut_off(self, reason):
        name, labels = "framesift_connections_cut_off_total", {"reason": reason}
        return self.registry.get_sample_value(name, labels) or 0

    def open(self):
        return len(self.server.server_state.connections)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(30)


@pytest.fixture
def run():
    with ExitStack() as stack:

        def start(**bounds):
            running = Running(**bounds)
            stack.callback(running.stop)
            return running

        yield start


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def drip(sock):
    """Sends a byte at a time until the server closes; returns what it said."""
    said = b""
    sock.settimeout(0.05)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            sock.send(b"a")
            if not (got := sock.recv(65536)):
                return said
            said += got
        except TimeoutError:
            continue
        except OSError:
            return said
    raise AssertionError("the server goes on waiting")


def heard(sock, words):
    """Returns what the server says, up to these words or its end."""
    said = b""
    while words not in said and (got := sock.recv(65536)):
        said += got
    assert words in said
    return said


def status(answer):
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("begun", "reason", "words"),
    [
        (HEAD, "slow head", "head of the request did not come within 1 s"),
        (b"", "slow head", "head of the request"),
        (BODY, "slow body", "slower than the 1024 bytes per second"),
    ],
    ids=["head", "nothing", "body"],
)
def test_a_byte_at_a_time_is_cut_off_with_a_line(run, begun, reason, words):
    running = run()
    with running.connect(begun) as sock:
        said = drip(sock)
    head, _, body = said.partition(b"\r\n\r\n")
    assert status(head) == 408
    assert words in json.loads(body)["detail"]
    assert running.cut_off(reason) == 1
    wait_for(lambda: running.open() == 0)


def test_a_second_request_on_a_connection_has_the_same_time(run):
    running = run()
    with running.connect(WHOLE) as sock:
        assert status(heard(sock, b"0 bytes")) == 200
        assert status(drip(sock)) == 408


@pytest.mark.parametrize("sent", [b"", WHOLE], ids=["no request", "after one"])
def test_a_silent_connection_is_closed(run, sent):
    running = run()
    with running.connect(sent) as sock:
        assert status(heard(sock, b"0 bytes" if sent else b"did not come")) in (200, 408)
        while sock.recv(65536):
            pass


@pytest.mark.parametrize("path", ["endless", "large"])
def test_an_answer_that_is_not_read_is_given_up(run, path):
    running = run()
    with running.connect(WHOLE.replace(b"hello", path.encode())):
        wait_for(lambda: running.cut_off("slow to read") == 1)
        wait_for(lambda: running.open() == 0)


def test_a_client_that_listens_to_events_may_be_silent(run):
    running = run()
    with running.connect(b"GET /events HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n") as sock:
        heard(sock, b"data: 29\n")  # three times as long as a client may take for a head


def test_a_body_at_a_good_pace_may_take_longer_than_a_head(run):
    running = run(bytes_per_second=10.0)
    with running.connect(BODY) as sock:
        for _ in range(30):
            sock.sendall(b"x" * 300)
            time.sleep(0.1)
        assert status(heard(sock, b"9000 bytes")) == 200


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(run):
    running = run()
    with running.connect(BODY.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")) as sock:
        assert status(heard(sock, b"\r\n\r\n")) == 100
        sock.sendall(b"x" * 9000)
        assert status(heard(sock, b"9000 bytes")) == 200


def test_one_address_leaves_room_for_others(run):
    running = run(connections_of_one_address=3, seconds=20.0)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(running.connect(HEAD))
        wait_for(lambda: running.open() == 3)
        with running.connect() as refused:
            said = heard(refused, b"3 connections of 127.0.0.1 are open")
        assert status(said) == 503
        assert b"retry-after" in said.lower()
        with running.connect(WHOLE, "127.0.0.2") as other:
            assert status(heard(other, b"0 bytes")) == 200


def test_many_that_only_begin_make_room_for_one_that_asks(run):
    running = run(connections=20, connections_of_one_address=5, seconds=20.0)
    with ExitStack() as stack:
        for number in range(60):
            begun = (HEAD, b"")[number % 2]
            stack.enter_context(running.connect(begun, f"127.0.0.{2 + number % 12}"))
        for _ in range(5):
            with running.connect(WHOLE) as sock:
                assert status(heard(sock, b"0 bytes")) == 200
        wait_for(lambda: running.open() <= 20)
        assert running.cut_off("made room") >= 40


def test_a_full_server_says_so_where_every_client_is_served(run):
    running = run(connections=2, seconds=20.0)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(running.connect(BODY))
        wait_for(lambda: running.open() == 2)
        time.sleep(0.2)
        with running.connect() as refused:
            heard(refused, b"2 connections are open")


def test_speed_is_measured_over_the_whole_stretch():
    pace = Pace(Bounds(seconds=10, bytes_per_second=100), now=0)
    pace.add(999)
    assert not pace.lags(9.9), "there is time left"
    assert pace.lags(10)
    pace.add(1000)
    assert not pace.lags(20)
    assert pace.lags(30), "what came before does not count"


def test_an_ipv6_network_is_one_client():
    assert network_of("2001:db8:1:2::9") == network_of("2001:db8:1:2:ffff::1")
    assert network_of("2001:db8:1:3::9") != network_of("2001:db8:1:2::9")
    assert network_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert network_of("fe80::1%eth0") == network_of("fe80::2")


def test_the_longest_waiting_connection_makes_room():
    busy, old, new = (
        SimpleNamespace(address=str(since), waiting_since=since) for since in (None, 3.0, 5.0)
    )
    me = SimpleNamespace(address="me", waiting_since=9.0)
    assert room_for(me, [busy, new, old], Bounds(connections=3)) is old
    assert room_for(me, [busy, new, old], Bounds(connections=4)) is None
    assert "3 connections" in room_for(me, [busy] * 3, Bounds(connections=3))


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
import framesift_server
framesift_server.main(sys.argv[2:])
"""


def test_more_connections_than_open_files_are_refused_at_the_start():
    command = [sys.executable, "-c", LIMITED, "600", "--max-connections", "512"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("raise `ulimit -n`, or give at most 216")


@pytest.mark.slow
def test_a_thousand_drips_do_not_stop_a_server_of_1024_open_files():
    """In the time in which 1,050 clients send a byte a second each, others are answered."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", LIMITED, "1024", "--port", str(port), "--client-seconds", "5"]
    log = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env=dict(os.environ), **log)

    def health():
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            client.request("GET", "/health")
            return client.getresponse().status
        except ConnectionRefusedError:
            return None
        finally:
            client.close()

    drips = []
    try:
        wait_for_start = time.monotonic() + 90
        while health() != 200:
            assert time.monotonic() < wait_for_start
            time.sleep(0.1)
        for number in range(1050):
            sock = socket.socket()
            sock.settimeout(30)
            sock.bind((f"127.0.0.{2 + number % 40}", 0))
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            drips.append(sock)
        deadline, alive = time.monotonic() + 90, len(drips)
        while alive:
            assert time.monotonic() < deadline, f"{alive} are not cut off"
            alive = sum(_drips(sock) for sock in drips)
            assert health() == 200
            time.sleep(0.5)
    finally:
        server.kill()
        server.wait()
        for sock in drips:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _drips(sock):
    try:
        sock.send(b"G")
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True
