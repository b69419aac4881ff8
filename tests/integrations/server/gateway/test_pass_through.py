"""What has no video goes through as it is, and whatever fails is an error that clients read."""

import asyncio
import gzip
import http.client
import json
import socket
import time

import httpx
import pytest
from starlette.routing import request_response

from framesift_server.gateway import GatewaySettings

QUESTION = {"model": "double", "messages": [{"role": "user", "content": "What is it?"}]}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
EVENTS = HEAD % b"text/event-stream" + b"Transfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"It"}}]}\n\n'


def chunk(content):
    return b"%x\r\n%s\r\n" % (len(content), content)


def error_of(response):
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return error


def test_request_and_answer_are_the_same_bytes(engine, gateway):
    client = gateway(engine.address)
    sent = json.dumps({**QUESTION, "n": 2, "logprobs": True, "odd": "\u00e4"}, indent=3).encode()
    direct = httpx.post(f"{engine.address}/chat/completions", content=sent)
    through = client.post("/v1/chat/completions", content=sent)
    assert through.content == direct.content
    assert dict(through.headers) == dict(direct.headers)
    first, second = engine.requests
    assert first == second
    assert first["n"] == 2


def test_headers_go_through_and_those_of_a_connection_do_not(engine, gateway):
    client = gateway(engine.address)
    given = {"Authorization": "Bearer theirs", "X-Own": "1", "Connection": "X-Hop", "X-Hop": "2"}
    client.get("/v1/models", headers=given)
    (seen,) = engine.heads
    assert (seen["authorization"], seen["x-own"]) == ("Bearer theirs", "1")
    assert "x-hop" not in seen
    assert seen["host"] == httpx.URL(engine.address).netloc.decode()


def test_every_path_goes_through_with_its_query_and_body(engine, gateway):
    client = gateway(engine.address)
    audio = bytes(range(256)) * 2000
    for path in ("/v1/audio/transcriptions?a=%2F&b=1", "/tokenize?a=%2F&b=1"):
        answer = client.post(path, content=audio)
        assert (answer.content, answer.headers["x-query"]) == (audio, "a=%2F&b=1")
    pieces = client.post("/tokenize", content=iter([b"in ", b"pieces"]))
    assert pieces.content == b"in pieces"
    assert client.get("/page").text == "<h1>a page</h1>"
    assert client.get("/v1/none").status_code == 404


def test_a_stream_comes_event_by_event(engine, gateway):
    client = gateway(engine.address)
    asked = {**QUESTION, "stream": True, "stream_options": {"include_usage": True}}
    direct = httpx.post(f"{engine.address}/chat/completions", json=asked)
    with client.stream("POST", "/v1/chat/completions", json=asked) as through:
        parts = list(through.iter_raw())
    assert b"".join(parts) == direct.content
    assert len(parts) > 1


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_the_work_of_the_upstream(engine, gateway, stream):
    client = gateway(engine.address)
    began, left = [], []

    async def chat(request):
        began.append(await request.body())
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        left.append(1)

    engine.words, engine.pause_seconds = ["x"] * 10**6, 0.01
    if not stream:
        engine.app.routes[0].app = request_response(chat)
    address = client.base_url
    body = json.dumps({**QUESTION, "stream": stream}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port)) as sock:
        sock.sendall(head.encode() + body)
        if stream:
            assert sock.recv(1000)
        else:
            wait_for(lambda: began)
    wait_for(lambda: engine.left or left)
    wait_for(lambda: not client.service._answering)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_upstream_that_is_down(gateway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = gateway(f"http://127.0.0.1:{port}/v1").post("/v1/chat/completions", json=QUESTION)
    assert answer.status_code == 502
    assert error_of(answer)["message"] == (
        "the upstream does not answer; start it, or give its address by --upstream"
    )


def test_an_upstream_that_is_slow(scripted, gateway):
    client = gateway(scripted(keeps_open=True), upstream_seconds=0.3)
    answer = client.post("/v1/chat/completions", json=QUESTION)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (504, "false")
    assert "is slower than --upstream-seconds allows" in error_of(answer)["message"]


def test_an_upstream_that_answers_with_a_page(scripted, gateway):
    page = b"<html>\n<title>Login</title></html>"
    answer = gateway(scripted(HEAD % b"text/html" + b"\r\n" + page)).get("/v1/models")
    assert answer.status_code == 502
    line = error_of(answer)["message"]
    assert "'<html> <title>Login</title></html>'; see whether --upstream is the address" in line


def test_an_error_in_plain_text_keeps_its_status(scripted, gateway):
    plain = b"HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\n\r\nInternal Server Error"
    answer = gateway(scripted(plain)).post("/v1/chat/completions", json=QUESTION)
    assert answer.status_code == 500
    assert error_of(answer)["message"] == (
        "the upstream answered 500 with text/plain instead of JSON: 'Internal Server Error'; its "
        "log may say why"
    )


def test_an_answer_that_breaks_off(scripted, gateway):
    half = HEAD % b"application/json" + b"Content-Length: 100\r\n\r\n" + b'{"choices": ['
    answer = gateway(scripted(half)).post("/v1/chat/completions", json=QUESTION)
    assert answer.status_code == 502
    assert error_of(answer)["message"] == "the upstream broke off; its log may say why"


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        (chunk(EVENT[:20]), "the upstream broke off; its log may say why"),
        (b"", "the upstream broke off; its log may say why"),
        (b"0\r\n\r\n", "the upstream ended its stream without [DONE]; its log may say why"),
    ],
    ids=["within an event", "between events", "without an end"],
)
def test_a_stream_that_breaks_off_ends_with_an_error(scripted, gateway, rest, line):
    client = gateway(scripted(EVENTS + chunk(EVENT) + rest))
    answer = client.post("/v1/chat/completions", json={**QUESTION, "stream": True})
    first, last, end = answer.content.split(b"\n\n")
    assert (first + b"\n\n", end) == (EVENT, b"")
    assert json.loads(last.removeprefix(b"data: "))["error"]["message"] == line


def test_a_stream_that_stalls_ends_with_an_error(scripted, gateway):
    client = gateway(scripted(EVENTS + chunk(EVENT), keeps_open=True), upstream_seconds=0.3)
    answer = client.post("/v1/chat/completions", json={**QUESTION, "stream": True})
    assert "is slower than --upstream-seconds allows" in answer.text.split("\n\n")[1]


def test_keys_are_the_gateways_and_the_upstream_gets_its_own(engine, gateway):
    client = gateway(engine.address, api_key="a-key-of-clients", upstream_key="another")
    refused = client.post("/v1/chat/completions", json=QUESTION)
    assert (refused.status_code, error_of(refused)["type"]) == (401, "authentication_error")
    allowed = {"Authorization": "Bearer a-key-of-clients"}
    assert client.post("/v1/chat/completions", json=QUESTION, headers=allowed).is_success
    assert engine.heads[-1]["authorization"] == "Bearer another"


def test_a_key_of_the_gateway_is_never_sent_on(engine, gateway):
    client = gateway(engine.address, api_key="a-key-of-clients")
    client.get("/v1/models", headers={"Authorization": "Bearer a-key-of-clients"})
    assert "authorization" not in engine.heads[-1]


def test_pages_of_strangers_are_refused(engine, gateway):
    client = gateway(engine.address)
    answer = client.get("/v1/models", headers={"Origin": "http://evil.example"})
    assert (answer.status_code, error_of(answer)["type"]) == (403, "permission_error")
    assert engine.heads == []


def test_it_counts_requests_and_says_that_it_lives(engine, gateway):
    client = gateway(engine.address)
    client.get("/v1/models")
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json() == {"status": "ok"}
    assert 'framesift_requests_total{path="' in client.get("/metrics").text
    assert client.get("/v1/usage").json() == []
    assert error_of(client.get("/v1/usage?since=yesterday"))["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "address", ["localhost:8000/v1", "ftp://localhost", "http://", "http://a:b@localhost/v1"]
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="address"):
        GatewaySettings(upstream=address)


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        ("POST /v1/chat/completions HTTP/1.1\r\nHost: loc", "the head of the request did not come"),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
            "the body came slower than",
        ),
    ],
    ids=["head", "body"],
)
def test_a_client_that_is_too_slow_is_told_in_openais_form(engine, gateway, sent, line):
    address = gateway(engine.address, client_seconds=0.5).base_url
    answer, error = sent_raw(address, sent)
    assert (answer.status, answer.headers["content-type"]) == (408, "application/json")
    assert error["message"].startswith(line)
    assert error["type"] == "invalid_request_error"
    assert engine.requests == []


def sent_raw(address, sent):
    """Sends letters; returns the answer, and its error."""
    with socket.create_connection((address.host, address.port), timeout=60) as sock:
        sock.sendall(sent.encode())
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        return answer, json.loads(answer.read())["error"]


def test_what_is_no_http_is_told_in_openais_form(engine, gateway):
    answer, error = sent_raw(gateway(engine.address).base_url, "GET\r\n\r\n")
    assert answer.status == 400
    assert error["message"].startswith("this is no request of HTTP/1.1")


def test_web_sockets_are_refused_in_words(engine, gateway):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = gateway(engine.address).get("/v1/realtime?model=double", headers=upgrade)
    assert (answer.status_code, engine.heads) == (501, [])
    assert "carries no web sockets" in error_of(answer)["message"]


def test_an_older_client_is_answered_to_the_end_of_the_connection(engine, gateway):
    address = gateway(engine.address).base_url
    body = json.dumps({**QUESTION, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((address.host, address.port), timeout=60) as sock:
        sock.sendall(f"{head}Host: localhost\r\n\r\n{body}".encode())
        received = b"".join(iter(lambda: sock.recv(2**16), b""))
    head, _, events = received.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert events.endswith(b"data: [DONE]\n\n")


def test_the_head_alone_and_the_methods_of_a_path_are_the_upstreams(engine, gateway):
    client = gateway(engine.address)
    head = client.head("/v1/models")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(client.get("/v1/models").content)
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    direct = httpx.options(f"{engine.address}/chat/completions", headers=asked)
    assert client.options("/v1/chat/completions", headers=asked).status_code == direct.status_code


def test_an_answer_that_is_compressed_goes_through(scripted, gateway):
    packed = gzip.compress(b'{"choices":[]}')
    head = HEAD % b"application/json" + b"Content-Encoding: gzip\r\n"
    upstream = scripted(head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed)
    answer = gateway(upstream).post("/v1/chat/completions", json=QUESTION)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json() == {"choices": []}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/audio/transcriptions"])
def test_a_length_beside_chunks_is_not_sent_on(engine, gateway, path):
    # A server that went by it would read the rest of the body as another request.
    client = gateway(engine.address)
    headers = {"Content-Length": "5", "Transfer-Encoding": "chunked"}
    body = json.dumps(QUESTION).encode()
    answer = client.post(path, content=iter([body]), headers=headers)
    assert answer.status_code == 200
    assert "content-length" not in engine.heads[-1]
    assert engine.heads[-1]["transfer-encoding"] == "chunked"


def test_each_line_of_connection_names_headers_of_it(engine, gateway):
    client = gateway(engine.address)
    lines = [("Connection", "X-One"), ("Connection", "X-Two"), ("X-One", "1"), ("X-Two", "2")]
    client.get("/v1/models", headers=lines)
    assert not {"x-one", "x-two"} & set(engine.heads[-1])


def test_an_error_in_the_place_of_a_page_says_when_to_come_again(scripted, gateway):
    head = b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nRetry-After: 7\r\n"
    answer = gateway(scripted(head + b"Set-Cookie: a=1\r\n\r\nbusy")).get("/v1/models")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert "set-cookie" not in answer.headers
    assert "'busy'" in error_of(answer)["message"]


@pytest.mark.parametrize(
    "line",
    ["GET http://a.example/v1/models", "CONNECT a.example:443", "OPTIONS *", "GET @a.example/v1"],
)
def test_a_gateway_is_no_proxy(engine, gateway, line):
    host, port = gateway(engine.address).base_url.netloc.decode().split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.status == 400
        assert "send one such as /v1/models" in json.load(answer)["error"]["message"]
    assert engine.heads == []


def test_events_without_a_space_are_read_as_well(scripted, gateway):
    usage = b'data:{"choices":[],"usage":{"prompt_tokens":1}}\n\n'
    events = EVENT.replace(b": ", b":", 1) + usage + b"data:[DONE]\n\n"
    client = gateway(
        scripted(EVENTS + chunk(events) + b"0\r\n\r\n"), allow_synthetic=True, frames=2
    )
    asked = {**QUESTION, "stream": True}
    assert client.post("/v1/chat/completions", json=asked).content == events
    video = {"type": "video_url", "video_url": {"url": "synthetic://mixed?seconds=4"}}
    asked["messages"] = [{"role": "user", "content": [video]}]
    lines = client.post("/v1/chat/completions", json=asked).text.split("\n\n")
    assert lines[-2:] == ["data:[DONE]", ""]
    assert json.loads(lines[1].removeprefix("data:"))["usage"]["framesift"]["frames_after"] == 2
