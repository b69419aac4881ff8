"""Which clip a page gets: in it, beside it, or none and why; and the clock that it plays on."""

import base64
import os
from fractions import Fraction
from urllib.parse import unquote

import pytest

import framesift
from framesift.report.clip import Clip, ClipClock

LENGTH = 1.2


def late(count: int, start_seconds: float) -> list[Fraction]:
    return [Fraction(start_seconds) + Fraction(number, 25) for number in range(count)]


def test_a_small_clip_stands_in_the_page_whole(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4")
    with framesift.open_video(path) as local:
        clip = Clip.of(
            local, tmp_path / "page.html", length_seconds=LENGTH, most_bytes=path.stat().st_size
        )
    head, _, data = clip.address.partition(",")
    assert head == "data:video/mp4;base64"
    assert base64.b64decode(data) == path.read_bytes()
    assert clip.policy == "data:"
    assert "part of this page" in clip.where


@pytest.mark.parametrize("name", ["a b#1?.mp4", "\u00e9 100% <b>.mp4", "a\udcff.mp4"])
def test_a_larger_file_is_linked_from_where_the_page_lies(tmp_path, write_video, name):
    (tmp_path / "clips").mkdir()
    path = write_video(tmp_path / "clips" / name)
    page = tmp_path / "pages" / "page.html"
    with framesift.open_video(path) as local:
        clip = Clip.of(local, page, length_seconds=LENGTH, most_bytes=path.stat().st_size - 1)
    assert os.path.normpath(page.parent / unquote(clip.address, errors="surrogateescape")) == str(
        path
    )
    assert not set(clip.address) & set("#?<> ")
    assert clip.policy == "'self'"


def test_a_clip_that_goes_when_it_was_read_is_not_linked(tmp_path):
    with framesift.open_video("synthetic://number?seed=3") as local:
        assert Clip.of(local, tmp_path / "page.html", length_seconds=LENGTH).policy == "data:"
        clip = Clip.of(local, tmp_path / "page.html", length_seconds=LENGTH, most_bytes=0)
    assert clip.address is None
    assert "is not part of this page, which takes at most 0.0 MB" in clip.where


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "libx264"), ("a.mp4", "mpeg4"), ("a.h264", "libx264")]
)
def test_what_browsers_do_not_play_is_said(tmp_path, write_video, name, codec):
    with framesift.open_video(write_video(tmp_path / name, codec=codec)) as local:
        clip = Clip.of(local, tmp_path / "page.html", length_seconds=LENGTH)
        assert ClipClock.of(local, LENGTH).zero_seconds >= 0
    assert clip.address is None
    assert clip.where.startswith("Browsers do not play this kind of file (")


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx")])
def test_the_clock_of_a_file_that_begins_late(tmp_path, write_video, name, codec):
    path = write_video(tmp_path / name, times=late(30, 5), codec=codec)
    with framesift.open_video(path) as local:
        clock = ClipClock.of(local, LENGTH)
    assert clock.zero_seconds == pytest.approx(5, abs=0.05)
    assert clock.until_seconds is None


@pytest.mark.parametrize(("part", "until"), [("0.2,0.5", 0.5), ("0.2", None), ("0.2,90", None)])
def test_a_part_ends_where_it_ends(tmp_path, write_video, part, until):
    path = write_video(tmp_path / "a.mp4")
    with framesift.open_video(f"{path}#t={part}") as local:
        assert ClipClock.of(local, LENGTH).until_seconds == until
