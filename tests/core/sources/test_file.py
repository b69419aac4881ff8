import os

import pytest

from framesift.errors import SourceError, UnsupportedSourceError
from framesift.fetching.limits import FetchLimits
from framesift.sources.file import File
from framesift.types.video import TimedText

LIMITS = FetchLimits()
SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello there\n"


def test_opens_a_path_in_place_and_removes_nothing(tmp_path, clip):
    path = tmp_path / "talk.mp4"
    path.write_bytes(clip)
    with File().open(str(path), LIMITS) as video:
        assert video.path == path
        assert video.temporary_folder is None
    assert path.read_bytes() == clip


def test_expands_the_home_folder(tmp_path, clip, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "talk.mp4").write_bytes(clip)
    assert File().open("~/talk.mp4", LIMITS).path == tmp_path / "talk.mp4"


@pytest.mark.parametrize("head", ["file://", "file://localhost", "FILE://", "file:"])
def test_file_uris_are_percent_decoded(tmp_path, clip, head):
    path = tmp_path / "a talk #1 100%.mp4"
    path.write_bytes(clip)
    uri = head + str(path).replace("%", "%25").replace(" ", "%20").replace("#", "%23")
    assert File().open(uri, LIMITS).path == path


def test_a_file_uri_of_another_host_is_refused():
    with pytest.raises(UnsupportedSourceError, match="'nas'"):
        File().open("file://nas/talk.mp4", LIMITS)


def test_says_what_is_wrong_with_a_path(tmp_path):
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        "gone.mp4": "does not exist",
        "": "not a regular file",
        "pipe": "not a regular file",
        "empty.mp4": "is empty",
        "nul\0.mp4": "does not exist|cannot be read",
        "x" * 5000: "cannot be read",
    }
    for name, message in wrong.items():
        with pytest.raises(SourceError, match=message) as caught:
            File().open(f"{tmp_path}/{name}", LIMITS)
        assert isinstance(caught.value, OSError)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [("talk.srt", SRT), ("talk.vtt", "WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ann>Hello there\n")],
)
def test_subtitles_beside_the_video_are_read(tmp_path, clip, name, text):
    (tmp_path / "talk.mp4").write_bytes(clip)
    (tmp_path / name).write_text(text)
    spoken = (TimedText(start_seconds=1.0, end_seconds=2.5, text="Hello there"),)
    assert File().open(str(tmp_path / "talk.mp4"), LIMITS).subtitles == spoken
    text_only = File().open(str(tmp_path / "talk.mp4"), LIMITS, text_only=True)
    assert (text_only.path, text_only.subtitles) == (None, spoken)


def test_broken_subtitles_leave_a_warning_and_the_video(tmp_path, clip):
    (tmp_path / "talk.mp4").write_bytes(clip)
    (tmp_path / "talk.srt").write_text("no cue at all")
    video = File().open(str(tmp_path / "talk.mp4"), LIMITS)
    assert video.subtitles == ()
    assert len(video.warnings) == 1
    assert "talk.srt" in video.warnings[0]
