"""Whatever a file does to the libraries, its reader gets one line, before much memory is taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from framesift.decoders import registry
from framesift.decoders.base import Decoder, FrameIndex
from framesift.decoders.pyav import PyavDecoder
from framesift.errors import (
    CorruptVideoError,
    FramesiftError,
    InvalidOptionError,
    SourceError,
    VideoTooLargeError,
)
from framesift.types.video import VideoInfo


def test_a_size_that_only_frames_tell_is_held_as_well(tmp_path, write_video):
    path = write_video(tmp_path / "a.webm", 3, codec="libvpx-vp9")
    with pytest.raises(CorruptVideoError, match="or its pictures have more than 8191 pixels"):
        PyavDecoder(max_pixels=64 * 128 - 1).index(path)


def test_a_display_size_above_the_limit_is_refused(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", 2, aspect=Fraction(16))
    with pytest.raises(VideoTooLargeError, match="2048 x 64 pixels"):
        PyavDecoder(max_pixels=100_000).index(path)


@pytest.mark.parametrize("limit", [0, -1, 1.5, "many"])
def test_a_limit_of_pixels_that_is_none_is_refused(limit):
    with pytest.raises(InvalidOptionError, match="max_pixels"):
        PyavDecoder(max_pixels=limit)


@pytest.mark.parametrize("name", registry.names())
def test_a_picture_larger_than_a_window_comes_alone(name, tmp_path, monkeypatch, write_video):
    if name == "torchcodec":
        pytest.importorskip("torchcodec", exc_type=ImportError)
    path = write_video(tmp_path / "a.mp4", 6)
    monkeypatch.setattr("framesift.decoders.base.WINDOW_BYTES", 3 * 64 * 128 * 2)
    assert [len(frames) for frames in registry.create(name).decode(path, range(6))] == [2, 2, 2]


@dataclass(frozen=True, kw_only=True)
class Failing(Decoder):
    """Fails as a library might."""

    summary: ClassVar[str] = "fails"
    error: BaseException

    def scan(self, path: Path) -> FrameIndex:
        raise self.error

    def pictures(self, path: Path, indices, size_px) -> Iterator:
        raise self.error


class FailingLater(Failing):
    """Fails as a library might, once it has listed the frames."""

    def scan(self, path: Path) -> FrameIndex:
        info = VideoInfo(
            width_px=8,
            height_px=8,
            duration_seconds=1.0,
            start_seconds=0.0,
            frame_count=1,
            average_fps=1.0,
            codec="none",
        )
        return FrameIndex(info=info, pts_seconds=np.zeros(1))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"), CorruptVideoError),
        (KeyError("a"), CorruptVideoError),
        (OverflowError("too\nlarge"), CorruptVideoError),
        (RuntimeError(), CorruptVideoError),
        (MemoryError(), VideoTooLargeError),
        (FileNotFoundError(2, "No such file", "a.mp4"), SourceError),
        (PermissionError(13, "Permission denied", "a.mp4"), SourceError),
        (InvalidOptionError("as it was"), InvalidOptionError),
    ],
)
def test_what_a_library_raises_becomes_one_line(tmp_path, raised, expected):
    failing, later = Failing(error=raised), FailingLater(error=raised)
    reads = (failing.index, lambda path: list(later.decode(path, [0])))
    for read in reads:
        with pytest.raises(expected) as told:
            read(tmp_path / "a.mp4")
        assert isinstance(told.value, FramesiftError)
        assert "\n" not in str(told.value)
        assert told.value is raised or "'a.mp4'" in str(told.value)


def test_an_interrupt_stays_one(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Failing(error=KeyboardInterrupt()).index(tmp_path / "a.mp4")


def test_what_a_listener_raises_is_no_error_of_the_file(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", 60, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-2000])

    def refuse(line: str) -> None:
        raise KeyError(line)

    with pytest.raises(KeyError, match="breaks off"):
        list(PyavDecoder().decode(path, [0], warn=refuse))
