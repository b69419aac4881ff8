"""What a segment says of itself, and the address that plays it."""

import pytest

from framesift import save_keyframe
from framesift.compression.compressor import VideoCompressor
from framesift.types.answer import Segment
from framesift.types.clock import clock


def segment(**given):
    return Segment(
        **{
            "uri": "talk.mp4",
            "start_seconds": 63.5,
            "end_seconds": 3671.25,
            "keyframe_seconds": 70,
            **given,
        }
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "00:00"), (59.999, "00:59"), (60, "01:00"), (3599, "59:59"), (3723, "1:02:03")],
)
def test_a_time_reads_as_minutes_and_seconds(seconds, shown):
    assert clock(seconds) == shown


def test_a_caption_is_never_empty_and_holds_all_that_is_known():
    assert segment().caption() == "01:03 to 1:01:11"
    full = segment(title="Intro", text="Hello.", colors=("red", "blue"))
    assert full.caption() == ("Intro, 01:03 to 1:01:11\nHello.\nColors that stand out: red, blue")
    assert segment(title="Talk", chapter="Intro").caption() == "Talk, Intro, 01:03 to 1:01:11"
    assert segment(title="Talk", chapter="Intro").caption("File") == "File, 01:03 to 1:01:11"


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("/videos/talk.mp4", "/videos/talk.mp4#t=63.5,3671.25"),
        ("https://example.com/a.mp4?x=1", "https://example.com/a.mp4?x=1#t=63.5,3671.25"),
        ("https://www.youtube.com/watch?v=abc", "https://www.youtube.com/watch?v=abc&t=63s"),
        ("https://youtu.be/abc?t=4", "https://youtu.be/abc?t=63s"),
        ("https://www.loom.com/share/abc", "https://www.loom.com/share/abc?t=63s"),
        ("https://vimeo.com/1?h=2#t=5s", "https://vimeo.com/1?h=2#t=63s"),
        (
            "https://www.dailymotion.com/video/x?start=4",
            "https://www.dailymotion.com/video/x?start=63",
        ),
        (
            "https://archive.org/details/x?&start=4&a=b",
            "https://archive.org/details/x?a=b&start=63",
        ),
        ("https://www.twitch.tv/videos/1", "https://www.twitch.tv/videos/1?t=63s"),
        ("https://www.tiktok.com/@a/video/1", "https://www.tiktok.com/@a/video/1#t=63.5,3671.25"),
        ("https://notyoutube.com/watch?v=a", "https://notyoutube.com/watch?v=a#t=63.5,3671.25"),
        ("http://[", "http://[#t=63.5,3671.25"),
    ],
)
def test_a_link_plays_the_segment(uri, link):
    assert segment(uri=uri).link == link


def test_equal_pictures_are_saved_as_one_file(tmp_path):
    (frame,) = VideoCompressor().keyframes("synthetic://number?seconds=2&width=64&height=64", 1)
    path = save_keyframe(frame, tmp_path / "new")
    assert path.read_bytes() == frame.jpeg()
    before = path.stat().st_mtime_ns
    assert save_keyframe(frame, tmp_path / "new") == path
    assert path.stat().st_mtime_ns == before
    assert save_keyframe(frame, tmp_path / "new", quality=30) != path
    assert len(list(path.parent.iterdir())) == 2
    assert frame.clock == clock(frame.pts_seconds)
