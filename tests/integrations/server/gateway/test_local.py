"""A vision LLM on the gateway's machine answers chat requests, with or without an upstream."""

import base64
import io
import json
import socket
import threading
import time

import openai
import pytest
from PIL import Image

from framesift_server.gateway import tower

CHAT = "/v1/chat/completions"
NUMBER = "synthetic://number?seed=3"


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def alone(gateway):
    """A gateway without an upstream."""
    return gateway(None, vlm="tiny", allow_synthetic=True)


def url(address):
    return {"type": "video_url", "video_url": {"url": address}}


def asked(*content, text="What number flashes?", **fields):
    messages = [{"role": "user", "content": [*content, {"type": "text", "text": text}]}]
    return {"model": "tiny", "messages": messages, **fields}


def test_a_question_is_answered_without_an_upstream(alone):
    answer = alone.post(CHAT, json=asked(url(NUMBER)))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "44", "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert (body["object"], body["model"]) == ("chat.completion", "tiny")
    usage = body["usage"]
    told = usage.pop("framesift")
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] > told["visual_tokens_after"] == 128
    assert (told["route"], told["visual_tokens_before"]) == ("local", 512)
    assert (told["frames_before"], told["warnings"]) == (8, [])
    assert 1 <= told["frames_after"] < 8
    assert told["evidence"][0]["uri"] == NUMBER
    assert 0 <= told["evidence"][0]["start_seconds"] < told["evidence"][0]["end_seconds"] <= 8
    assert answer.headers["x-framesift-route"] == "local"
    assert answer.headers["x-framesift-tokens-before"] == "512"
    assert answer.headers["x-framesift-tokens-after"] == "128"


def test_knobs_change_how_much_is_read(alone):
    body = asked(url(NUMBER), framesift={"keep": 0.5, "strategy": "uniform"})
    told = alone.post(CHAT, json=body).json()["usage"]["framesift"]
    assert told["visual_tokens_after"] == 256
    headers = {"X-Framesift-Keep": "0.125", "X-Framesift-Fps": "2"}
    told = alone.post(CHAT, json=asked(url(NUMBER)), headers=headers).json()["usage"]["framesift"]
    assert (told["visual_tokens_before"], told["visual_tokens_after"]) == (1024, 128)


def test_the_clients_of_openai_read_a_stream(alone):
    client = openai.OpenAI(base_url=f"{alone.base_url}/v1", api_key="-", max_retries=0)
    body = asked(url(NUMBER))
    options = {"include_usage": True}
    events = list(client.chat.completions.create(**body, stream=True, stream_options=options))
    *pieces, end, last = events
    assert "".join(event.choices[0].delta.content for event in pieces) == "44"
    assert pieces[0].choices[0].delta.role == "assistant"
    assert end.choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage.framesift["visual_tokens_after"] == 128
    assert last.usage.framesift["evidence"]
    *_, end = client.chat.completions.create(**body, stream=True)
    assert end.usage is None
    assert end.framesift["route"] == "local"
    whole = client.chat.completions.create(**body)
    assert whole.choices[0].message.content == "44"


def test_a_stream_tells_the_route_in_its_head(alone):
    answer = alone.post(CHAT, json=asked(url(NUMBER), stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-framesift-tokens-after"] == "128"
    assert answer.text.endswith("data: [DONE]\n\n")


def test_what_is_wrong_before_a_stream_is_an_error_of_its_own(alone):
    answer = alone.post(CHAT, json=asked(url("http://10.0.0.1/a.mp4"), stream=True))
    assert answer.status_code == 403
    assert answer.json()["error"]["type"] == "permission_error"


def test_a_video_of_a_conversation_is_read_once(alone, tmp_path, write_video, monkeypatch):
    opened = []
    real = tower.Video.open
    monkeypatch.setattr(
        tower.Video, "open", lambda self, *a, **k: opened.append(self.key) or real(self, *a, **k)
    )
    path = write_video(tmp_path / "a.mp4", count=8, fps=1)
    video = url(f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}")
    first = asked(video)
    said = alone.post(CHAT, json=first).json()
    follow = {"role": "user", "content": "And what color?"}
    messages = [*first["messages"], said["choices"][0]["message"], follow]
    again = alone.post(CHAT, json={**first, "messages": messages}).json()
    assert len(opened) == 1
    cached = again["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached > again["usage"]["framesift"]["visual_tokens_after"] > 0
    # The toy knows synthetic videos alone, which reaches whoever asks it of others.
    (warning, *_) = again["usage"]["framesift"]["warnings"]
    assert "trained on synthetic:// videos only" in warning


def test_pictures_are_read_as_well(alone):
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    body = asked({"type": "image_url", "image_url": {"url": address}}, text="What is this?")
    told = alone.post(CHAT, json=body).json()["usage"]["framesift"]
    assert told["frames_before"] == 1
    assert told["visual_tokens_before"] > 0


def test_fields_of_an_answer_are_honoured(alone):
    long = alone.post(CHAT, json=asked(url(NUMBER), max_completion_tokens=1)).json()
    assert long["choices"][0]["finish_reason"] == "length"
    assert long["usage"]["completion_tokens"] == 1
    cut = alone.post(CHAT, json=asked(url(NUMBER), stop="4")).json()
    assert cut["choices"][0]["message"]["content"] == ""
    drawn = asked(url(NUMBER), temperature=2, seed=5, top_p=1)
    first, second = (alone.post(CHAT, json=drawn).json()["choices"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("fields", "param", "line"),
    [
        ({"n": 2}, "n", "n is not supported by 'tiny', a vision LLM of framesift"),
        ({"logprobs": True}, "logprobs", "logprobs is not supported"),
        ({"tools": [{"type": "function"}]}, "tools", "tools is not supported"),
        ({"response_format": {"type": "json_object"}}, "response_format", "response_format is not"),
        ({"presence_penalty": 0.5}, "presence_penalty", "presence_penalty is not supported"),
        ({"guided_json": {}}, "guided_json", "guided_json is not supported"),
        ({"max_tokens": 0}, "max_tokens", "max_tokens=0 is not allowed"),
        ({"temperature": 3}, "temperature", "temperature=3 is not allowed"),
        ({"stop": [""]}, None, "stop"),
        ({"messages": []}, "messages", "messages=[] is not allowed"),
        ({"messages": ["a"]}, "messages[0]", "messages[0] must be an object"),
        (
            {"messages": [{"role": "tool", "content": "a"}]},
            "messages[0]",
            "a call of a tool is not supported",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[0]",
            "content of the type 'input_audio' is not supported",
        ),
        ({"framesift": {"frames": 4}}, "framesift", "'frames' means nothing by the route 'local'"),
        ({"framesift": {"route": "frames"}}, "framesift", "by the route 'local' alone"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(alone, fields, param, line):
    answer = alone.post(CHAT, json=asked(url(NUMBER)) | fields)
    error = answer.json()["error"]
    assert answer.status_code == 400, answer.text
    assert line in error["message"]
    assert "\n" not in error["message"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_fields_that_ask_for_nothing_are_taken(alone):
    fields = {"n": 1, "logprobs": False, "tools": None, "user": "ann", "frequency_penalty": 0.0}
    answer = alone.post(CHAT, json=asked(url(NUMBER), response_format={"type": "text"}, **fields))
    assert answer.status_code == 200, answer.text


def test_a_gateway_alone_lists_its_model_and_knows_no_other(alone):
    (card,) = alone.get("/v1/models").json()["data"]
    assert (card["id"], card["object"]) == ("tiny", "model")
    assert alone.get("/v1/models/tiny").json()["id"] == "tiny"
    for answer in (
        alone.post(CHAT, json=asked() | {"model": "gpt-5"}),
        alone.get("/v1/models/gpt-5"),
    ):
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert (error["code"], error["type"]) == ("model_not_found", "not_found_error")
        assert error["message"] == "the model 'gpt-5' does not exist; here is 'tiny'"
    other = alone.post("/v1/embeddings", json={})
    assert other.status_code == 404
    assert "no POST /v1/embeddings without an upstream" in other.json()["error"]["message"]
    broken = alone.post(CHAT, content=b"{")
    assert broken.status_code == 400
    assert "the body is no chat request" in broken.json()["error"]["message"]


def test_beside_an_upstream_the_name_of_the_model_decides(engine, gateway):
    client = gateway(engine.address, vlm="tiny", allow_synthetic=True, frames=2)
    names = [card["id"] for card in client.get("/v1/models").json()["data"]]
    assert names == ["double", "tiny"]
    here = client.post(CHAT, json=asked(url(NUMBER)))
    assert here.json()["choices"][0]["message"]["content"] == "44"
    assert engine.requests == []
    there = client.post(CHAT, json=asked(url(NUMBER)) | {"model": "double"})
    assert there.json()["choices"][0]["message"]["content"] == "It is red."
    assert there.headers["x-framesift-route"] == "frames"
    headers = {"X-Framesift-Route": "local"}
    told = client.post(CHAT, json=asked(url(NUMBER)) | {"model": "double"}, headers=headers)
    assert told.json()["model"] == "tiny"
    assert len(engine.requests) == 1


def test_by_default_videos_are_answered_here_and_text_there(engine, gateway):
    client = gateway(engine.address, vlm="tiny", route="local", allow_synthetic=True)
    shown = client.post(CHAT, json=asked(url(NUMBER)) | {"model": "double"})
    assert shown.headers["x-framesift-route"] == "local"
    said = client.post(CHAT, json=asked() | {"model": "double"})
    assert said.json()["choices"][0]["message"]["content"] == "It is red."
    assert "x-framesift-route" not in said.headers


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_the_work(alone, monkeypatch, stream):
    """It would take longer than the deadline of `until`."""
    began, real = threading.Event(), tower.Video.open
    monkeypatch.setattr(
        tower.Video, "open", lambda self, *a, **k: began.set() or real(self, *a, **k)
    )
    video, knobs = url("synthetic://mixed?seconds=3600"), {"fps": 8, "keep": 1}
    body = json.dumps(asked(video, framesift=knobs, stream=stream)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    place = alone.base_url.host, alone.base_url.port
    with socket.create_connection(place) as client:
        client.sendall(head.encode() + body)
        assert began.wait(60)
    until(lambda: not alone.service.workers.inside["tiny"])
    until(lambda: alone.get("/v1/usage").json()[-1]["failed"] == 1)


def test_usage_and_metrics_count_the_work(alone):
    alone.post(CHAT, json=asked(url(NUMBER)))
    row = alone.get("/v1/usage").json()[-1]
    assert (row["requests"], row["tokens_in"], row["tokens_out"]) == (1, 512, 128)
    assert row["answer_tokens"] > 0
    assert 'framesift_visual_tokens_total{side="after"} 128.0' in alone.get("/metrics").text


def test_a_model_that_cannot_be_loaded_is_said_so(gateway):
    client = gateway(None, vlm="no-such-model")
    until(lambda: client.service.tower.failure)
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert "'no-such-model' cannot be loaded" in ready.json()["detail"]
    answer = client.post(CHAT, json=asked() | {"model": "no-such-model"})
    assert answer.status_code == 503
    assert "cannot be loaded" in answer.json()["error"]["message"]


def test_a_model_that_the_list_has_is_found_by_its_name(engine, gateway):
    client = openai.OpenAI(
        base_url=f"{gateway(engine.address, vlm='tiny').base_url}/v1", api_key="any"
    )
    assert [model.id for model in client.models.list()][-1] == "tiny"
    assert client.models.retrieve("tiny").owned_by == "framesift"
