"""What a gateway changes of a chat request is all that changes, to the byte."""

import gzip
import json
import os
import subprocess
import sys

import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from framesift_server.gateway.chat_body import ChatBody

CHAT = "/v1/chat/completions"
KNOB = '"framesift": {"route": "none"}'
ODD = (
    '"seed": 1%s, "a": 1e400, "b": 1.10, "b": 1.100, "c": -0.0, "d": 12345678901234567890123, '
    '"e": "\\ud800 \\u00e4\\/", "f":\t[ ], "n": 2, "logprobs":true,"stream_options":null'
) % ("0" * 5000)
QUESTION = '"model": "double",\n "messages": [{"role": "user", "content": "What \\u0069s it?"}]'
VIDEO = (
    '"model":"double", "messages" : [ {"role":"user","content":[{"type":"video_url",'
    '"video_url":{"url":"data:video/mp4;base64,%s#t=1,2"}} ]}]' % ("AAAA" * 20_000)
)


@pytest.fixture
def received(engine):
    """The bytes of each chat request that the engine is sent."""
    bodies = []

    async def chat(request):
        bodies.append(await request.body())
        return JSONResponse({"choices": []})

    engine.app.routes[0] = Route(CHAT, chat, methods=["POST"])
    engine.app.router.routes[0] = engine.app.routes[0]
    return bodies


@pytest.mark.parametrize("rest", [QUESTION, VIDEO], ids=["without a video", "by the route none"])
@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ("{ %(knob)s , %(rest)s,%(odd)s }", "{ %(rest)s,%(odd)s }"),
        ("{%(rest)s, %(knob)s,\r\n%(odd)s}", "{%(rest)s,\r\n%(odd)s}"),
        ("\n{%(odd)s,  %(rest)s , %(knob)s\n}\n", "\n{%(odd)s,  %(rest)s\n}\n"),
        ('{%(knob)s,%(rest)s, %(odd)s,"framesift":null}', "{%(rest)s, %(odd)s}"),
    ],
    ids=["first", "between", "last", "twice"],
)
def test_the_knob_alone_is_taken_out(engine, gateway, received, rest, sent, left):
    parts = {"knob": KNOB, "rest": rest, "odd": ODD}
    # Of two members the last one counts, so that the knob is named where null follows.
    sent, left = (line % parts for line in (sent, left))
    client = gateway(engine.address, route="none")
    assert client.post(CHAT, content=sent.encode()).status_code == 200
    assert received == [left.encode()]


def test_beside_a_video_all_else_stays(engine, gateway, received):
    sent = '{%s, "messages": [%s], "model": "double"}'
    video = '{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "%s"}}]}'
    content = sent % (ODD, video % "synthetic://mixed?seconds=4")
    client = gateway(engine.address, allow_synthetic=True, frames=2)
    assert client.post(CHAT, content=content.encode()).status_code == 200
    before, _, after = sent.partition("[%s]")
    (body,) = received
    assert body.startswith((before % ODD).encode())
    assert body.endswith(after.encode())
    assert body.count(b"data:image/jpeg") == 2


def test_a_data_uri_in_words_stays_what_it_is():
    address = "data:video/mp4;base64," + "AAAA" * 100
    said = {"role": "user", "content": [{"type": "text", "text": address}]}
    body = ChatBody(bytearray(json.dumps({"messages": [said], "video": address}).encode()))
    parsed = body.parsed()
    parsed["messages"] = [*parsed["messages"], {"role": "user", "content": "framesift-?"}]
    written = json.loads(b"".join(body.written(parsed)))
    assert written["video"] == written["messages"][0]["content"][0]["text"] == address
    assert written["messages"][1]["content"] == "framesift-?"


MEMORY = """
import asyncio, json, sys, tracemalloc
from framesift_server.gateway import GatewaySettings
from framesift_server.gateway.app import create_gateway

SIZE = 100 * 2**20

async def main(route, upstream, folder, first, last):
    settings = GatewaySettings(
        upstream=upstream, route=route, state_folder=folder, max_fetch_bytes=2 * SIZE
    )
    app = create_gateway(settings)
    head = b'{"model": "double", "framesift": {"route": "%s"}, "messages": [{"role": "user", '
    head = head % route.encode() + b'"content": [' + first.encode()
    pieces = [head, *[b"AAAA" * 2**18] * (SIZE // 2**20), last.encode() + b']}]}']
    body = iter(pieces)

    async def receive():
        part = next(body, None)
        if part is None:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": part, "more_body": not part.endswith(b"}")}

    said = []

    async def send(message):
        said.append(message)

    size = sum(map(len, pieces))
    headers = [(b"host", b"localhost"), (b"content-length", b"%d" % size)]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "path": "/v1/chat/completions", "raw_path": b"/v1/chat/completions", "query_string": b"",
        "root_path": "", "scheme": "http", "headers": headers, "client": ("127.0.0.1", 1)}
    async with app.router.lifespan_context(app):
        tracemalloc.start()
        await app(scope, receive, send)
        _, peak_bytes = tracemalloc.get_traced_memory()
    print(json.dumps([said[0]["status"], peak_bytes / SIZE]))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("route", "status"), [("none", 400), ("frames", 415)])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ('{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,', '"}}'),
        ('{"type": "video", "mime_type": "video/mp4", "base64" : "', '"}'),
    ],
    ids=["in an address", "bare"],
)
def test_a_video_of_100_mb_in_base64_is_not_held_twice(
    engine, tmp_path, route, status, first, last
):
    command = [sys.executable, "-c", MEMORY, route, engine.address, str(tmp_path), first, last]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    answered, times = json.loads(done.stdout)
    assert answered == status
    assert times < 2, times


@pytest.mark.parametrize(
    ("packed", "headers"),
    [
        (gzip.compress, {"Content-Encoding": "gzip"}),
        (lambda body: body.decode().encode("utf-16"), {}),
        (lambda body: body[:-1], {}),
    ],
    ids=["gzip", "UTF-16", "broken off"],
)
def test_what_is_not_read_goes_through_or_is_refused_where_it_has_knobs(
    gateway, engine, received, packed, headers
):
    body = packed(b"{%s}" % VIDEO.encode())
    client = gateway(engine.address)
    assert client.post(CHAT, content=body, headers=headers).status_code == 200
    assert received == [body]
    knobs = {"X-Framesift-Frames": "4"}
    answer = client.post(CHAT, content=body, headers=headers | knobs)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"].startswith("x-framesift-frames cannot be obeyed")
    assert error["param"] == "framesift"
    assert len(received) == 1


def test_a_mark_of_the_byte_order_stays(gateway, engine, received):
    client = gateway(engine.address)
    sent = b"\xef\xbb\xbf{%s, %s}" % (KNOB.encode(), QUESTION.encode())
    assert client.post(CHAT, content=sent).status_code == 200
    assert received == [b"\xef\xbb\xbf{%s}" % QUESTION.encode()]
