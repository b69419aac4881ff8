"""A client that leaves ends the work for it, in whatever phase that is."""

import json
import socket
import time

from framesift_server.gateway.chat_body import Video

HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_while_it_sends(engine, gateway):
    client = gateway(engine.address)
    address = client.base_url
    with socket.create_connection((address.host, address.port)) as sock:
        sock.sendall(f"{HEAD % 1000}{{".encode())
        wait_for(lambda: client.service._answering)
    wait_for(lambda: not client.service._answering)
    assert engine.requests == []


def test_while_its_video_is_read(engine, gateway, monkeypatch):
    """An hour of video is not read to its end, and the line is free for others."""
    began = []
    real = Video.open

    def opened(self, *arguments, **options):
        began.append(1)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Video, "open", opened)
    client = gateway(engine.address, allow_synthetic=True)
    address = client.base_url
    part = {"type": "video_url", "video_url": {"url": "synthetic://mixed?seconds=3600"}}
    body = json.dumps({"model": "double", "messages": [{"role": "user", "content": [part]}]})
    with socket.create_connection((address.host, address.port)) as sock:
        sock.sendall(f"{HEAD % len(body)}{body}".encode())
        wait_for(lambda: began)
    wait_for(lambda: not client.service._answering)
    assert 'framesift_working{model="frames"} 0.0' in client.get("/metrics").text
    assert engine.requests == []
