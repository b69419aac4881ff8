"""The forms in which a compressed video is sent."""

import base64
import io
import json
import tracemalloc
from dataclasses import dataclass, replace

import anyio
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load
from starlette.requests import Request

from framesift import VideoCompressor
from framesift.disk.tensors import PIECE_BYTES
from framesift.encoders.handcrafted import Handcrafted
from framesift.registry import Registry
from framesift_server import forms

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
JSON, LINES, TENSORS = forms.JSON, forms.LINES, forms.TENSORS


@pytest.fixture(scope="module")
def video():
    return VideoCompressor(vlm="tiny", strategy="temporal", keep=0.25).compress(CLIP)


def post(client, accept, **body):
    headers = {} if accept is None else {"accept": accept}
    return client.post("/v1/compress", json={"video": CLIP, **body}, headers=headers)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/x-safetensors", TENSORS),
        ("APPLICATION/X-SAFETENSORS", TENSORS),
        ("application/x-ndjson, */*", LINES),
        ("application/x-safetensors, application/json", TENSORS),
        ("application/json;q=0.5, application/x-safetensors;q=0.9", TENSORS),
        ("application/json; charset=utf-8", JSON),
        ("*/*;q=0.1, application/json;q=0", TENSORS),
        ("text/html, application/x-ndjson;q=0.2", LINES),
        ("what;is=this;q=x,,;;, application/json", JSON),
    ],
)
def test_a_client_gets_the_form_that_it_prefers(accept, kind):
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert forms.form_of(Request({"type": "http", "headers": headers})) == kind


@pytest.mark.parametrize("kind", [JSON, LINES, TENSORS])
def test_the_form_is_said(client, kind):
    small = {"video": "synthetic://static?seconds=1", "encoder": "handcrafted"}
    response = post(client, kind, **small)
    assert response.status_code == 200
    assert response.headers["content-type"] == kind


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "image/*, */*;q=0", "application/json;q=nan"]
)
def test_what_is_not_sent_is_refused_before_any_work(client, accept):
    refused = post(client, accept, video="synthetic://number?seconds=7200")
    assert refused.status_code == 406
    assert refused.headers["content-type"] == "application/problem+json"
    assert TENSORS in refused.json()["detail"]


def test_a_file_of_tensors_has_no_keyframes(client):
    refused = post(client, TENSORS, outputs=["keyframes"])
    assert refused.status_code == 406
    assert "/v1/keyframes" in refused.json()["detail"]


def test_the_tensors_are_those_of_python_to_the_bit(client, video, tmp_path):
    response = post(client, TENSORS)
    tensors = load(response.content)
    assert int(response.headers["content-length"]) == len(response.content)
    assert torch.equal(tensors["tokens"], video.tokens)
    assert torch.equal(tensors["positions"], video.positions)
    assert torch.equal(tensors["pts_seconds"], video.pts_seconds)
    assert torch.equal(tensors["sources"], video.plan.sources)
    (tmp_path / "a.safetensors").write_bytes(response.content)
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        report = json.loads(file.metadata()["report"])
    given = post(client, JSON).json()
    report["seconds"] = given["report"]["seconds"] = {}
    assert report == given["report"]
    inside = load(base64.b64decode(given["features"]["data"]))
    assert {name: value.tolist() for name, value in inside.items()} == {
        name: value.tolist() for name, value in tensors.items()
    }


def test_lines_hold_a_token_each_and_name_the_tensors(client, video):
    response = post(client, LINES, outputs=["features", "keyframes"], count=2)
    head, *tokens = map(json.loads, response.text.splitlines())
    assert head["report"]["tokens_out"] == len(tokens)
    assert len(head["keyframes"]) == 2
    assert [token["position"] for token in tokens] == video.positions.tolist()
    assert [token["pts_seconds"] for token in tokens] == video.pts_seconds.tolist()
    assert [token["source"] for token in tokens] == video.plan.sources.tolist()
    file = client.get(head["features"]["url"])
    assert file.headers["content-type"] == TENSORS
    assert len(file.content) == head["features"]["size_bytes"]
    assert torch.equal(load(file.content)["tokens"], video.tokens)
    rest = client.get(head["features"]["url"], headers={"range": "bytes=100-"})
    assert (rest.status_code, rest.content) == (206, file.content[100:])
    assert client.delete(head["features"]["url"]).status_code == 204
    gone = client.get(head["features"]["url"])
    assert gone.status_code == 404
    assert "had to make room" in gone.json()["detail"]


def test_without_tensors_nothing_is_kept(client, serve, tmp_path):
    alone = serve(state_folder=tmp_path)
    head, *tokens = post(alone, LINES, outputs=[]).text.splitlines()
    assert json.loads(head)["features"] is None
    assert len(tokens) == 128
    assert not (tmp_path / "results").exists()
    assert "tokens" not in load(post(alone, TENSORS, outputs=[]).content)


def test_a_whole_prompt_is_a_tensor_too(client):
    asked = {"question": QUESTION, "outputs": ["prompt_embeds"]}
    given = base64.b64decode(post(client, JSON, **asked).json()["prompt_embeds"])
    embeds = torch.load(io.BytesIO(given), weights_only=True)
    assert torch.equal(load(post(client, TENSORS, **asked).content)["prompt_embeds"], embeds)
    head = json.loads(post(client, LINES, **asked).text.splitlines()[0])
    assert head["features"]["shape"] is None
    tensors = load(client.get(head["features"]["url"]).content)
    assert torch.equal(tensors["prompt_embeds"], embeds)
    assert "tokens" not in tensors


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_numbers_are_of_the_type_that_is_asked_for(client, video, name):
    dtype = getattr(torch, name)
    asked = {"dtype": name, "question": QUESTION, "outputs": ["features", "prompt_embeds"]}
    tensors = load(post(client, TENSORS, **asked).content)
    assert torch.equal(tensors["tokens"], video.tokens.to(dtype))
    assert tensors["prompt_embeds"].dtype == dtype
    assert tensors["pts_seconds"].dtype == torch.float64
    given = post(client, JSON, **asked).json()
    assert given["features"]["dtype"] == name
    embeds = torch.load(io.BytesIO(base64.b64decode(given["prompt_embeds"])), weights_only=True)
    assert torch.equal(embeds, tensors["prompt_embeds"])


def test_a_type_that_cannot_hold_the_tokens_is_refused(client, monkeypatch):
    compress = VideoCompressor.compress

    def large(self, *given, **options):
        video = compress(self, *given, **options)
        tokens = video.tokens.clone()
        tokens[-1, 0] = 70_000
        return replace(video, tokens=tokens)

    monkeypatch.setattr(VideoCompressor, "compress", large)
    refused = post(client, TENSORS, dtype="float16")
    assert refused.status_code == 422
    assert "ask for 'bfloat16'" in refused.json()["detail"]
    assert post(client, TENSORS, dtype="bfloat16").status_code == 200


def test_a_job_names_its_tensors(client, video):
    job = client.post("/v1/jobs", json={"kind": "compress", "video": CLIP}).headers["location"]
    with client.stream("GET", f"{job}/events") as events:
        assert "event: done" in "".join(events.iter_text())
    result = client.get(job).json()["result"]
    assert result["positions"] == video.positions.tolist()
    assert result["features"]["data"] is None
    file = client.get(result["features"]["url"])
    assert torch.equal(load(file.content)["tokens"], video.tokens)


@dataclass(frozen=True, kw_only=True)
class Wide(Handcrafted):
    """The tokens of a vision LLM in number and width, but not in what they cost."""

    @property
    def channels(self):
        return 896

    def encode(self, frames, signals=None):
        tokens = super().encode(frames, signals)
        return replace(tokens, features=tokens.features.float().repeat(1, 1, 28))


@pytest.fixture(scope="module")
def wide(client):
    """What 60 seconds at the size of LLaVA-OneVision become: 11,760 tokens of 896 numbers."""
    get, sent, made = Registry.get, forms.sent, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Registry, "get", lambda self, name: Wide if name == "handcrafted" else get(self, name)
        )
        patch.setattr(forms, "sent", lambda *given: made.append(given[0]) or sent(*given))
        asked = {
            "video": "synthetic://mixed?seconds=60&width=160&height=90",
            "encoder": "handcrafted",
        }
        assert post(client, TENSORS, **asked).status_code == 200
    assert made[0].video.report.tokens_in == 60 * 196
    assert made[0].video.tokens.shape == (60 * 196 // 4, 896)
    return made[0]


@pytest.mark.parametrize(("form", "dtype"), [(TENSORS, None), (TENSORS, "float16"), (LINES, None)])
def test_a_minute_needs_little_more_than_its_tensor(wide, client, form, dtype):
    """On the wire, and in memory beside the tensor itself."""
    made = replace(wide, request=wide.request.model_copy(update={"dtype": dtype}))
    tokens = made.video.tokens
    raw = tokens.numel() * (2 if dtype else 4)
    start, end = tokens.data_ptr(), tokens.data_ptr() + tokens.nbytes
    sizes, copies = [], []

    async def send(message):
        body = message.get("body", b"")
        if len(body):
            place = np.frombuffer(body, np.uint8).ctypes.data
            copies.append(0 if start <= place < end else len(body))
        head = sum(len(name) + len(value) + 4 for name, value in message.get("headers", ()))
        sizes.append(len(body) + head)

    async def receive():
        await anyio.sleep_forever()

    async def respond():
        response = await forms.sent(made, form, client.app.state.service.results)
        await response({"type": "http", "method": "POST", "headers": []}, receive, send)

    tracemalloc.start()
    anyio.run(respond)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(copies) <= PIECE_BYTES
    assert PIECE_BYTES + peak < 0.1 * raw
    if form == TENSORS:
        assert raw < sum(sizes) < 1.1 * raw
    else:
        assert sum(sizes) < 0.1 * raw, "the tensor is another answer"
