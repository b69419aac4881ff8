"""Videos in chat requests become pictures with their times, in messages that every engine takes."""

import base64
import io
import json
from itertools import pairwise

import pytest
from PIL import Image

from framesift_server.gateway.chat_body import ChatBody
from framesift_server.gateway.conversation import Conversation

CHAT = "/v1/chat/completions"
RED = "synthetic://mixed?seconds=20"


@pytest.fixture(scope="module")
def numbered(tmp_path_factory, write_video):
    """A video of 40 seconds whose frames carry their number, as a data: URI."""
    path = write_video(tmp_path_factory.mktemp("videos") / "numbered.mp4", count=80, fps=2)
    return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"


def url(address):
    return {"type": "video_url", "video_url": {"url": address}}


def asked(*content, **fields):
    text = {"type": "text", "text": "What happens?"}
    messages = [{"role": "user", "content": [*content, text]}]
    return {"model": "double", "messages": messages, **fields}


def pictures(message):
    """Returns the text before each picture of a message, and its size."""
    found = []
    for before, part in pairwise(message["content"]):
        if part["type"] == "image_url":
            head, _, content = part["image_url"]["url"].partition(",")
            assert head == "data:image/jpeg;base64"
            found.append((before["text"], Image.open(io.BytesIO(base64.b64decode(content))).size))
    return found


SPELLINGS = {
    "video_url": url,
    "input_video": lambda a: {"type": "input_video", "input_video": {"data": a}},
    "file": lambda a: {"type": "file", "file": {"filename": "a.mp4", "file_data": a}},
    "raw base64": lambda a: {"type": "video", "base64": a[22:], "mime_type": "video/mp4"},
    "escaped slashes": url,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_video_becomes_pictures_with_their_times(engine, gateway, numbered, spelling):
    client = gateway(engine.address, frames=4)
    body = json.dumps(asked(SPELLINGS[spelling](numbered), temperature=0.5))
    if spelling == "escaped slashes":
        body = body.replace("/", "\\/")
    answer = client.post(CHAT, content=body)
    assert answer.status_code == 200, answer.text
    (sent,) = engine.requests
    assert sent["temperature"] == 0.5
    (message,) = sent["messages"]
    assert message["content"][0]["text"] == (
        "A video of 00:40: 4 of its frames in order, each after its time."
    )
    times = [text for text, _ in pictures(message)]
    assert len(times) == 4
    assert times == sorted(times)
    assert message["content"][-1] == {"type": "text", "text": "What happens?"}
    usage = answer.json()["usage"]
    told = usage.pop("framesift")
    assert usage == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert (told["route"], told["frames_before"], told["frames_after"]) == ("frames", 40, 4)
    assert told["visual_tokens_before"] == 10 * told["visual_tokens_after"] > 0
    shown = [f"[{int(t) // 60:02}:{int(t) % 60:02}]" for t in told["times_seconds"][0]]
    assert shown == times
    assert answer.headers["x-framesift-route"] == "frames"
    assert answer.headers["x-framesift-tokens-after"] == str(told["visual_tokens_after"])
    assert answer.headers["x-engine"] == "1"


def test_a_stream_tells_it_in_its_usage(engine, gateway, numbered):
    client = gateway(engine.address, frames=2)
    fields = {"stream": True, "stream_options": {"include_usage": True}}
    answer = client.post(CHAT, json=asked(url(numbered), **fields))
    events = [e.removeprefix("data: ") for e in answer.text.split("\n\n") if e]
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["usage"]["framesift"]["frames_after"] == 2
    assert "usage" not in json.loads(events[0])
    assert answer.headers["x-framesift-frames"] == "2"


def test_knobs_come_by_the_body_and_by_headers(engine, gateway, numbered):
    client = gateway(engine.address)
    knobs = {"frames": 3, "max_side_px": 64, "fps": 2, "selector": "uniform"}
    client.post(CHAT, json=asked(url(numbered), framesift=knobs))
    headers = {"X-Framesift-Frames": "3", "X-Framesift-Max-Side-Px": "64"}
    headers |= {"X-Framesift-Selector": "uniform", "X-Framesift-Fps": "2"}
    client.post(CHAT, json=asked(url(numbered)), headers=headers)
    first, second = engine.requests
    assert first == second
    assert "framesift" not in first
    found = pictures(first["messages"][0])
    assert len(found) == 3
    assert {max(size) for _, size in found} == {64}
    assert not any(name.startswith("x-framesift") for name in engine.heads[-1])


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"frame": 3}, "'framesift' of a request has no option 'frame'; did you mean 'frames'?"),
        ({"frames": 0}, "frames=0 is not allowed"),
        ({"frames": 65}, "frames=65 is more than 64, the most pictures of a request here"),
        ({"route": "cheap"}, "route='cheap' is not allowed"),
        ({"selector": "none-such"}, "unknown selector 'none-such'"),
        ({"selector": "nms:scorer=[clip:model=/etc]"}, "may not name files"),
        ("fast", "framesift must be an object"),
    ],
    ids=str,
)
def test_knobs_that_are_none_are_refused(engine, gateway, knobs, line):
    client = gateway(engine.address)
    answer = client.post(CHAT, json=asked(framesift=knobs))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert line in error["message"]
    assert (error["param"], error["type"]) == ("framesift", "invalid_request_error")
    assert engine.requests == []


def test_without_a_video_the_field_alone_is_taken_out(engine, gateway):
    client = gateway(engine.address)
    client.post(CHAT, json=asked(framesift={"frames": 3}, odd=[1.5]))
    assert engine.requests == [asked(odd=[1.5])]


def test_the_route_none_sends_a_video_on(engine, gateway, numbered):
    client = gateway(engine.address)
    answer = client.post(CHAT, json=asked(url(numbered), framesift={"route": "none"}))
    assert engine.requests == [asked(url(numbered))]
    assert answer.json()["error"]["message"] == "Unknown part type: video_url"


def test_pictures_stand_in_messages_of_the_user_and_roles_alternate(engine, gateway, numbered):
    client = gateway(engine.address, frames=2)
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "1", "content": [url(numbered)]}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        result,
        {"role": "tool", "tool_call_id": "2", "content": "nothing"},
        {"role": "assistant", "content": "I did."},
        {"role": "user", "content": "And now?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        result,
    ]
    answer = client.post(CHAT, json={"model": "double", "messages": messages})
    assert answer.status_code == 200, answer.text
    sent = engine.requests[0]["messages"]
    roles = [message["role"] for message in sent]
    assert roles == [
        *("user", "assistant", "tool", "tool", "user", "assistant"),
        *("user", "assistant", "tool", "user"),
    ]
    assert sent[2]["content"] == [{"type": "text", "text": "[a video, which follows]"}]
    assert len(pictures(sent[4])) == len(pictures(sent[-1])) == 2


def test_pictures_of_a_system_message_begin_the_next_one_of_the_user(engine, gateway, numbered):
    client = gateway(engine.address, frames=2)
    messages = [
        {"role": "system", "content": [url(numbered)]},
        {"role": "user", "content": "What happens?"},
    ]
    assert client.post(CHAT, json={"model": "double", "messages": messages}).is_success
    _, user = engine.requests[0]["messages"]
    assert len(pictures(user)) == 2
    assert user["content"][-1] == {"type": "text", "text": "What happens?"}


def test_a_video_of_an_earlier_turn_is_not_read_again(engine, gateway, numbered, monkeypatch):
    client = gateway(engine.address, frames=4)
    first = asked(url(numbered))
    client.post(CHAT, json=first)
    later = [*first["messages"], {"role": "assistant", "content": "A lot."}]
    later = [*later, {"role": "user", "content": [url(numbered)]}]

    def opened(*_):
        raise AssertionError("it was opened again")

    monkeypatch.setattr("framesift_server.gateway.chat_body.Video.open", opened)
    answer = client.post(CHAT, json={"model": "double", "messages": later})
    assert answer.status_code == 200, answer.text
    one, two = engine.requests
    assert two["messages"][0] == one["messages"][0]
    assert pictures(two["messages"][2]) == pictures(one["messages"][0])
    assert client.get("/v1/usage").json()[0]["requests"] == 2


def test_a_selector_that_reads_a_question_is_given_the_last_one(engine, gateway, monkeypatch):
    seen = []
    from framesift import VideoCompressor

    real = VideoCompressor.keyframes

    def keyframes(self, video, count, question, **options):
        seen.append(question)
        return real(self, video, count, question, **options)

    monkeypatch.setattr(VideoCompressor, "keyframes", keyframes)
    client = gateway(engine.address, allow_synthetic=True, selector="nms:scorer=text")
    address = "synthetic://number?seed=3"
    for text in ("What number?", "Which colour?", "Which colour?"):
        part = {"type": "text", "text": text}
        messages = [{"role": "user", "content": [url(address), part]}]
        assert client.post(CHAT, json={"model": "double", "messages": messages}).is_success
    assert seen == ["What number?", "Which colour?"]


def test_pictures_of_all_videos_are_bounded(engine, gateway, numbered):
    client = gateway(engine.address, frames=4, max_pictures=4)
    parts = [url(f"{numbered}#t={second},{second + 20}") for second in range(5)]
    client.post(CHAT, json=asked(*parts[:2]))
    assert len(pictures(engine.requests[0]["messages"][0])) == 4
    answer = client.post(CHAT, json=asked(*parts))
    assert answer.json()["error"]["message"].startswith("the messages hold 5 videos, and at most 4")


def test_a_part_of_a_video_is_all_that_is_sent(engine, gateway, numbered):
    client = gateway(engine.address, frames=4)
    answer = client.post(CHAT, json=asked(url(f"{numbered}#t=10,20")))
    (times,) = answer.json()["usage"]["framesift"]["times_seconds"]
    assert all(10 <= time < 20 for time in times)


@pytest.mark.parametrize(
    ("address", "status", "line"),
    [
        ("http://127.0.0.1:9/a.mp4", 403, "127.0.0.1"),
        ("http://169.254.169.254/a.mp4", 403, "169.254.169.254"),
        ("file:///etc/passwd", 403, "file"),
        ("/etc/passwd", 403, "/etc/passwd"),
        ("synthetic://number", 403, "--allow-synthetic"),
        ("data:video/mp4;base64,AAAA", 415, ""),
        ("data:video/mp4;base64,A?AA", 400, "is not base64"),
    ],
)
def test_videos_that_are_not_had_are_refused(engine, gateway, address, status, line):
    client = gateway(engine.address)
    answer = client.post(CHAT, json=asked(url(address)))
    assert answer.status_code == status, answer.text
    assert line in answer.json()["error"]["message"]
    assert engine.requests == []


def test_a_body_that_is_too_large_is_refused(engine, gateway, numbered):
    client = gateway(engine.address, max_body_bytes=2000)
    answer = client.post(CHAT, json=asked(url(numbered)))
    assert answer.status_code == 413
    assert answer.json()["error"]["message"].startswith("the request has more than 2000 bytes")


def test_a_context_that_is_too_short_says_how_many_frames_fit(scripted, gateway, numbered):
    line = (
        "This model's maximum context length is 100 tokens. However, you requested 104 tokens "
        "(101 in the messages, 3 in the completion)."
    )
    body = json.dumps({"error": {"message": line, "type": "BadRequestError", "code": 400}}).encode()
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    client = gateway(scripted(head % len(body) + b"\r\n" + body), frames=8, token_px=4096)
    answer = client.post(CHAT, json=asked(url(numbered)))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        f"{line} framesift: about 4 of the 8 frames that were sent fit; ask for them by "
        "extra_body={'framesift': {'frames': 4}}"
    )


def test_what_was_saved_is_counted(engine, gateway, numbered):
    client = gateway(engine.address, frames=4, price_per_million=2.0, token_px=4096)
    client.post(CHAT, json=asked(url(numbered)))
    metrics = client.get("/metrics").text
    assert 'framesift_visual_tokens_total{side="before"} 40.0' in metrics
    assert 'framesift_visual_tokens_total{side="after"} 4.0' in metrics
    assert "framesift_saved_money_total 7.2e-05" in metrics


def test_a_video_in_base64_is_held_once(numbered):
    body = ChatBody(bytearray(json.dumps(asked(url(numbered))).encode()))
    parsed = body.parsed()
    assert len(json.dumps(parsed)) < 400
    (video,) = Conversation(body, parsed["messages"]).videos
    assert bytes(video.payload).decode() == numbered.partition(",")[2]
    assert video.payload.obj is body.content


def test_a_video_that_is_shown_again_is_counted_again(engine, gateway, numbered):
    client = gateway(engine.address, frames=2)
    once = client.post(CHAT, json=asked(url(numbered))).json()["usage"]["framesift"]
    answer = client.post(CHAT, json=asked(*[url(numbered)] * 3))
    told = answer.json()["usage"]["framesift"]
    assert len(pictures(engine.requests[-1]["messages"][0])) == told["frames_after"] == 6
    assert told["times_seconds"] == once["times_seconds"] * 3
    for side in ("visual_tokens_before", "visual_tokens_after"):
        assert told[side] == 3 * once[side]
    assert answer.headers["x-framesift-frames"] == "6"


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/Octet-Stream", ""])
def test_a_file_whose_type_its_client_does_not_know_is_known_by_its_name(
    engine, gateway, numbered, kind
):
    client = gateway(engine.address, frames=2)
    content = numbered.replace("video/mp4", kind, 1)
    part = {"type": "file", "file": {"filename": "talk.mp4", "file_data": content}}
    assert client.post(CHAT, json=asked(part)).json()["usage"]["framesift"]["frames_after"] == 2


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"filename": "talk.mp4", "file_id": "file-1"}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4", "fps": -1}},
        {"type": "video_url", "video_url": {"id": 3}},
    ],
    ids=["of the provider", "fps", "unknown"],
)
def test_by_the_route_none_a_video_is_for_the_upstream_to_judge(engine, gateway, part):
    client = gateway(engine.address, route="none")
    client.post(CHAT, json=asked(part))
    client.post(CHAT, json=asked(part, framesift={"route": "none"}))
    assert engine.requests == [asked(part)] * 2


def test_a_video_may_ask_for_no_more_frames_a_second_than_a_request(engine, gateway, numbered):
    client = gateway(engine.address, frames=2)
    part = url(numbered)
    part["video_url"]["fps"] = 60
    told = client.post(CHAT, json=asked(part)).json()["usage"]["framesift"]
    part["video_url"]["fps"] = 1e6
    answer = client.post(CHAT, json=asked(part))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        "fps=1e+06 of a video is not allowed; give 60 or less"
    )
    assert len(engine.requests) == 1
    assert told["frames_after"] == 2
