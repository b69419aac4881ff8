"""What the server does not do, and what it says then."""

import json
import time
from dataclasses import dataclass

import anyio
import pytest

from framesift.registry import Registry
from framesift.selectors.uniform import Uniform
from framesift.strategies.random import Random
from framesift.types.options import Reachable

CLIP = "synthetic://number?seed=3"
ENDLESS = "synthetic://number?seconds=7200"
"""Takes minutes to draw, step by step."""


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"video": "/etc/passwd"}, 403, "file of this machine"),
        ({"video": "file:///etc/passwd"}, 403, "file of this machine"),
        ({"video": "http://127.0.0.1/a.mp4"}, 403, "private address"),
        ({"video": "http://169.254.169.254/latest"}, 403, "metadata"),
        ({"video": "ftp://example.org/a.mp4"}, 422, "no source opens"),
        ({"video": "synthetic://nothing"}, 422, "unknown scene"),
        ({"video": "data:video/mp4;base64,AAAA"}, 424, "not a video"),
        ({"compression_ratio": 0.1}, 422, "compression_ratio"),
        ({"compression_ratio": 1.5}, 422, "compression_ratio"),
        ({"strategy": "temporl"}, 422, "did you mean 'temporal'"),
        ({"strategy": "temporal:threshold=much"}, 422, "threshold"),
        ({"selector": "keyfrmes"}, 422, "did you mean 'keyframes'"),
        ({"max_frames": 0}, 422, "max_frames"),
        ({"model": "nobody/model"}, 422, "choose one of: tiny"),
        ({"encoder": "clip:model=/etc"}, 422, "choose one of: handcrafted"),
        ({"outputs": ["prompt_embeds"]}, 422, "question"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_bad_input_is_one_line_with_its_status(client, changed, status, words):
    response = client.post("/v1/compress", json={"video": CLIP, **changed})
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert words in problem["detail"]
    assert "\n" not in problem["detail"]


@dataclass(frozen=True, kw_only=True)
class Reading(Uniform):
    """A selector that reads a file."""

    path: Reachable | None = None
    """Where it reads."""


def test_a_selector_that_reads_a_file_is_for_the_operator_to_allow(serve, monkeypatch):
    get = Registry.get
    monkeypatch.setattr(
        Registry, "get", lambda self, name: Reading if name == "reading" else get(self, name)
    )
    allowed, other = "reading:ends=true,path=/srv/a.json", "reading:path=/etc/passwd"
    server = serve(selectors=(allowed,))
    for path in ("/v1/keyframes", "/v1/compress", "/v1/ask", "/v1/jobs"):
        body = {"video": CLIP, "kind": path.rpartition("/")[2]}
        body |= {"question": "What is shown?"} if path == "/v1/ask" else {}
        body |= {"kind": "keyframes"} if path == "/v1/jobs" else {}
        response = server.post(path, json={**body, "selector": other})
        assert response.status_code == 403
        assert "path=/etc/passwd" in response.json()["detail"]
        assert allowed in response.json()["detail"]
    shown = server.post("/v1/keyframes", json={"video": CLIP, "count": 2, "selector": allowed})
    assert [frame["reason"] for frame in shown.json()["keyframes"]] == [
        "evenly spaced, 1 of 2",
        "evenly spaced, 2 of 2",
    ]


@dataclass(frozen=True, kw_only=True)
class Trained(Random):
    """A strategy that reads a folder."""

    folder: Reachable | None = None
    """Where it reads."""


def test_a_strategy_that_reads_a_folder_is_for_the_operator_to_allow(serve, monkeypatch):
    get = Registry.get
    monkeypatch.setattr(
        Registry, "get", lambda self, name: Trained if name == "trained" else get(self, name)
    )
    allowed, other = "trained:folder=/srv/weights", "temporal | trained:folder=/etc"
    server = serve(strategies=(allowed,))
    for path in ("/v1/compress", "/v1/ask", "/v1/jobs"):
        body = {"video": CLIP, "kind": "compress" if path == "/v1/jobs" else path[4:]}
        body |= {"question": "What is shown?"} if path == "/v1/ask" else {}
        response = server.post(path, json={**body, "strategy": other})
        assert response.status_code == 403
        assert "folder=/etc" in response.json()["detail"]
        assert allowed in response.json()["detail"]
    made = server.post("/v1/compress", json={"video": CLIP, "strategy": allowed})
    assert made.json()["report"]["strategy"].endswith(":folder=/srv/weights")


def test_synthetic_videos_are_for_demos_only(serve):
    closed = serve(allow_synthetic=False)
    response = closed.post("/v1/keyframes", json={"video": CLIP})
    assert response.status_code == 403
    assert "--allow-synthetic" in response.json()["detail"]


def test_a_file_that_is_no_video_is_an_unsupported_type(client):
    video = client.post("/v1/uploads", files={"file": ("a.mp4", b"text")}).json()["video"]
    assert client.post("/v1/compress", json={"video": video}).status_code == 415


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_body_is_refused_whether_or_not_it_says_so(serve, declared):
    small = serve(max_body_bytes=1024)
    body = b'{"video": "' + b"x" * 2048 + b'"}'
    sent = body if declared else iter([body[:500], body[500:]])
    response = small.post(
        "/v1/compress", content=sent, headers={"content-type": "application/json"}
    )
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


def test_an_upload_has_a_limit_of_its_own(serve):
    small = serve(max_body_bytes=1024, max_upload_bytes=4096)
    sizes = (2000, 8000)
    posted = [small.post("/v1/uploads", files={"file": ("a", b"x" * size)}) for size in sizes]
    assert [response.status_code for response in posted] == [201, 413]


def test_pictures_have_a_limit_of_pixels(serve):
    asked = {"video": "synthetic://mixed?seconds=2"}
    response = serve(max_pixels=1000).post("/v1/compress", json=asked)
    assert response.status_code == 413
    assert "allowed are 1000 in all" in response.json()["detail"]
    assert serve().post("/v1/compress", json=asked).status_code == 200


def test_a_key_opens_everything_but_health(serve):
    locked = serve(api_key="a-secret")
    assert locked.get("/health").status_code == 200
    for given in ({}, {"authorization": "Bearer another"}, {"authorization": "a-secret"}):
        response = locked.get("/metrics", headers=given)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"
    assert locked.get("/metrics", headers={"authorization": "Bearer a-secret"}).status_code == 200


def test_a_full_line_says_when_to_come_again(serve):
    narrow = serve(queue=0)
    asked = {"video": ENDLESS, "encoder": "handcrafted"}
    job = narrow.post("/v1/jobs", json={"kind": "compress", **asked}).headers["location"]
    deadline = time.monotonic() + 30
    while not narrow.get("/health").json()["working"].get("handcrafted"):
        assert time.monotonic() < deadline
    response = narrow.post("/v1/compress", json=asked)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1
    assert narrow.post("/v1/jobs", json={"kind": "compress", **asked}).status_code == 429
    other = narrow.post("/v1/keyframes", json={"video": "synthetic://static?seconds=1"})
    assert other.status_code == 200, "another worker has a line of its own"
    assert narrow.delete(job).status_code == 204
    deadline = time.monotonic() + 30
    while narrow.get(job).json()["status"] != "cancelled":
        assert time.monotonic() < deadline
    assert narrow.get("/health").json()["working"]["handcrafted"] == 0


def test_a_plan_that_would_pass_the_limit_is_refused_with_the_figure(client, monkeypatch):
    monkeypatch.setattr("framesift.strategies.base.MULTIPLICATIONS_PER_SECOND", 1e3)
    asked = {"video": CLIP, "encoder": "handcrafted", "strategy": "scissor"}
    response = client.post("/v1/compress", json=asked)
    assert response.status_code == 422
    assert response.json()["error"] == "PlanTooLongError"
    assert "'scissor' needs at least" in response.json()["detail"]


def test_a_request_ends_at_its_limit(serve):
    hasty = serve(max_seconds=0.5)
    start = time.monotonic()
    response = hasty.post("/v1/compress", json={"video": ENDLESS, "encoder": "handcrafted"})
    assert response.status_code == 504
    assert "/v1/jobs" in response.json()["detail"]
    assert time.monotonic() - start < 15
    assert hasty.get("/health").json()["working"] == {"handcrafted": 0}


def test_a_client_that_leaves_stops_the_work(client):
    """The request comes as a server hands it on: its body, and later that nobody is there."""
    body = b'{"video": "%s", "encoder": "handcrafted"}' % ENDLESS.encode()
    messages = [
        {"type": "http.request", "body": body, "more_body": False},
        {"type": "http.disconnect"},
    ]
    sent = []

    async def receive():
        if messages[0]["type"] == "http.disconnect":
            await anyio.sleep(0.3)
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/compress",
        "raw_path": b"/v1/compress",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def call():
        with anyio.fail_after(30):
            await client.app(scope, receive, send)

    client.portal.call(call)
    assert sent[0]["status"] == 499
    assert client.get("/health").json()["working"]["handcrafted"] == 0


DEEP = "protect-edges:strategy=[" * 3000 + "temporal" + "]" * 3000
NAN = float("nan")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("compress", {"strategy": DEEP}),
        ("compress", {"strategy": "protect-edges:strategy=" * 300 + "temporal"}),
        ("compress", {"strategy": 5}),
        ("compress", {"strategy": "temporal:threshold=nan"}),
        ("compress", {"encoder": DEEP}),
        ("compress", {"model": DEEP}),
        ("compress", {"fps": "1"}),
        ("compress", {"fps": True}),
        ("compress", {"fps": NAN}),
        ("compress", {"fps": 1e-320}),
        ("compress", {"compression_ratio": "0.5"}),
        ("compress", {"compression_ratio": True}),
        ("compress", {"outputs": [[]]}),
        ("keyframes", {"selector": DEEP}),
        ("keyframes", {"count": True}),
        ("keyframes", {"count": 2.5}),
        ("keyframes", {"max_edge_px": -5}),
        ("ask", {"question": "What?", "evidence": []}),
        ("ask", {"question": "What?", "seed": 1.5}),
        ("ask", {"question": "What?", "stop": [""]}),
        ("ask", {"question": 5}),
    ],
)
def test_options_of_the_wrong_type_are_a_short_problem(client, path, wrong):
    body = json.dumps({"video": "synthetic://number?seconds=2", **wrong})
    start = time.perf_counter()
    sent = {"content-type": "application/json"}
    refused = client.post(f"/v1/{path}", content=body, headers=sent)
    assert refused.status_code == 422
    assert time.perf_counter() - start < 20
    detail = refused.json()["detail"]
    assert "\n" not in detail
    assert len(detail) < 1100
