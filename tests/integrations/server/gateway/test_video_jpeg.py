"""Before vLLM with Qwen3-VL, each step of a video has the time of the frame that it shows."""

import base64
from fractions import Fraction

import pytest

from engine_doubles import Vllm

CHAT = "/v1/chat/completions"
GAPS = [0, 1, 2, 3, 65, 66, 67, 68, 127, 128, 129, 130]
RECORDING = [0, 1, 2, 3, 4, 64, 65, 66, 67, 127, 128, 129]
"""Times of a screen recording, which writes a frame only where something changes."""
UNEVEN = [Fraction(n * n, 7) for n in range(12)]


@pytest.fixture
def qwen(started):
    return started(Vllm())


def video_of(engine):
    (video,) = engine.seen[-1]["videos"]
    return video


def asked(*addresses, **fields):
    videos = [{"type": "video_url", "video_url": {"url": address}} for address in addresses]
    messages = [{"role": "user", "content": [*videos, {"type": "text", "text": "When?"}]}]
    return {"model": "double", "messages": messages, **fields}


def address_of(path):
    return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"


@pytest.mark.parametrize("times", [GAPS, UNEVEN], ids=["gaps", "variable rate"])
@pytest.mark.parametrize("count", [5, 12])
def test_marks_are_the_times_of_the_frames(
    qwen, gateway, tmp_path, write_video, numbers_in, times, count
):
    path = write_video(tmp_path / "uneven.mp4", 12, times=list(map(Fraction, times)))
    client = gateway(qwen.address, route="video-jpeg", frames=count, fps=25)
    answer = client.post(CHAT, json=asked(address_of(path)))
    assert answer.status_code == 200, answer.text
    seen = video_of(qwen)
    first, second = numbers_in(seen.frames[::2]), numbers_in(seen.frames[1::2])
    assert first == second
    assert len(set(first)) == count
    assert seen.marks == [f"<{float(times[number]):.1f} seconds>" for number in first]
    assert answer.headers["x-framesift-route"] == "video-jpeg"
    assert answer.json()["usage"]["framesift"]["frames_after"] == count


def test_more_frames_than_the_engine_takes_by_itself(
    qwen, gateway, tmp_path, write_video, numbers_in
):
    path = write_video(tmp_path / "long.mp4", 60, fps=1)
    client = gateway(qwen.address, route="video-jpeg", frames=40)
    client.post(CHAT, json=asked(address_of(path)))
    seen = video_of(qwen)
    assert seen.marks == [f"<{n:.1f} seconds>" for n in numbers_in(seen.frames[::2])]
    assert len(seen.marks) == 40


def test_fields_for_other_media_stay(qwen, gateway, tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", 10, fps=1)
    client = gateway(qwen.address, route="video-jpeg", frames_joined=1, frames=3)
    fields = {"image": {"a": 1}, "video": {"num_frames": 2}}
    client.post(CHAT, json=asked(address_of(path), media_io_kwargs=fields))
    given = qwen.requests[0]["media_io_kwargs"]
    assert given["image"] == {"a": 1}
    assert given["video"]["num_frames"] == len(given["video"]["frames_indices"]) == 3


def test_several_videos_take_the_other_route_or_are_refused(qwen, gateway, tmp_path, write_video):
    paths = [write_video(tmp_path / f"{n}.mp4", 10, fps=1, first=n) for n in (0, 20)]
    client = gateway(qwen.address, route="video-jpeg", frames=2)
    both = asked(*map(address_of, paths))
    answer = client.post(CHAT, json=both)
    assert answer.headers["x-framesift-route"] == "frames"
    assert "media_io_kwargs" not in qwen.requests[0]
    refused = client.post(CHAT, json=both, headers={"X-Framesift-Route": "video-jpeg"})
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        "the messages hold 2 videos, and by the route 'video-jpeg' a request has one, since the "
        "engine takes the times of one; ask for the route 'frames'"
    )


def test_a_video_that_is_shown_twice_counts_twice(qwen, gateway, tmp_path, write_video):
    """The engine would count it as two videos, whose times are one list."""
    address = address_of(write_video(tmp_path / "a.mp4", 10, fps=1))
    client = gateway(qwen.address, route="video-jpeg", frames=2)
    answer = client.post(CHAT, json=asked(address, address))
    assert answer.headers["x-framesift-route"] == "frames"


@pytest.mark.parametrize(
    ("joined", "marks"),
    [(1, [0.5, 2.5, 34.0, 65.5, 97.0, 128.5]), (2, RECORDING)],
    ids=["two frames a step", "a frame a step"],
)
def test_marks_of_a_screen_recording(qwen, gateway, tmp_path, write_video, joined, marks):
    path = write_video(tmp_path / "recording.mp4", 12, times=list(map(Fraction, RECORDING)))
    client = gateway(qwen.address, route="video-jpeg", frames=12, frames_joined=joined)
    client.post(CHAT, json=asked(address_of(path)))
    assert video_of(qwen).marks == [f"<{mark:.1f} seconds>" for mark in marks]
