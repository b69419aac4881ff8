"""Upstreams that refuse what the real ones refuse, and gateways before them, all on loopback."""

import re
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn

from engine_doubles import Engine
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
            self.read(client)
            for part in self.parts:
                client.sendall(part)
            if not self.keeps_open:
                client.close()

    @staticmethod
    def read(client):
        """Reads a request to its end; closed with a part unread, the answer would be lost, too."""
        got = b""
        while b"\r\n\r\n" not in got and (part := client.recv(2**16)):
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        left = int(length[1]) - len(body) if length else 0
        while left > 0 and (part := client.recv(2**16)):
            left -= len(part)

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
def started(stack):
    """Starts doubles of engines."""

    def start(made):
        made.address = stack.enter_context(listening(made.app)) + "/v1"
        return made

    return start


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
