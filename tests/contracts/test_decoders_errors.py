"""Whatever a file does to the libraries, its reader gets one line, before much memory is taken."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest

from framesift.decoders import registry
from framesift.decoders.base import Decoder, FrameIndex
from framesift.decoders.pyav import PyavDecoder
from framesift.errors import (
    CorruptVideoError,
    FramesiftError,
    InvalidOptionError,
    NoVideoStreamError,
    SourceError,
    VideoTooLargeError,
)
from framesift.types.video import VideoInfo

TITLE = b"a title of the film"
NO_TEXT = {"latin-1": b"\xe9\xc0\xdf", "utf-16": b"\xff\xfe\x00\xd8", "cut": b"ab\xe2\x82"}


@pytest.fixture(params=registry.names())
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return registry.create(request.param)


@pytest.mark.parametrize("kind", NO_TEXT)
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mov", ".flv", ".mkv", ".ts"])
def test_a_title_in_no_known_letters_hurts_nobody(decoder, tmp_path, write_video, suffix, kind):
    path = write_video(tmp_path / f"a{suffix}", 5, codec_options={"bf": "0"})
    titled = tmp_path / f"titled{suffix}"
    remux(path, titled, TITLE.decode())
    content = titled.read_bytes()
    letters = (NO_TEXT[kind] * len(TITLE))[: len(TITLE)]
    assert content.count(TITLE) or suffix == ".ts"
    titled.write_bytes(content.replace(TITLE, letters))
    assert decoder.index(titled).info.frame_count == 5
    assert sum(len(frames) for frames in decoder.decode(titled, range(5))) == 5


def remux(source: Path, target: Path, title: str) -> None:
    plain = {"write_crc32": "0"} if target.suffix == ".mkv" else {}
    with av.open(str(source)) as given, av.open(str(target), "w", options=plain) as made:
        made.metadata["title"] = title
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = stream
                made.mux(packet)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", b"avc1"), ("a.mkv", b"V_MPEG4/ISO/AVC"), ("a.avi", b"H264")]
)
def test_a_codec_that_nobody_knows_is_named(decoder, tmp_path, write_video, name, codec):
    plain = {"write_crc32": "0"} if name == "a.mkv" else {}
    path = write_video(tmp_path / name, 5, container_options=plain)
    unknown = codec[:2] + b"Z" * (len(codec) - 2)
    path.write_bytes(path.read_bytes().replace(codec, unknown))
    with pytest.raises(NoVideoStreamError, match="codec that is not known here; convert it"):
        decoder.index(path)


def test_a_size_that_only_frames_tell_is_held_as_well(tmp_path, write_video):
    path = write_video(tmp_path / "a.webm", 3, codec="libvpx-vp9")
    with pytest.raises(CorruptVideoError, match="or its pictures have more than 8191 pixels"):
        PyavDecoder(max_pixels=64 * 128 - 1).index(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.h264", "a.mpg"])
def test_pictures_above_the_limit_are_refused(tmp_path, write_video, name):
    path = write_video(tmp_path / name, 3)
    for kind in registry.names():
        small = registry.create(f"{kind}:max_pixels={64 * 128 - 1}")
        with pytest.raises(VideoTooLargeError, match=rf"{name}.* 128 x 64 pixels, allowed are"):
            small.index(path)
        with pytest.raises(VideoTooLargeError, match="raise max_pixels"):
            list(small.decode(path, [0]))
        allowed = registry.create(f"{kind}:max_pixels={64 * 128}")
        assert allowed.index(path).info.frame_count == 3


def test_a_display_size_above_the_limit_is_refused(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", 2, aspect=Fraction(16))
    with pytest.raises(VideoTooLargeError, match="2048 x 64 pixels"):
        PyavDecoder(max_pixels=100_000).index(path)


@pytest.mark.parametrize("limit", [0, -1, 1.5, "many"])
def test_a_limit_of_pixels_that_is_none_is_refused(limit):
    with pytest.raises(InvalidOptionError, match="max_pixels"):
        PyavDecoder(max_pixels=limit)


def gif(width: int, height: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02D\x01\0;"


def test_a_few_bytes_take_no_memory(decoder, tmp_path):
    path = tmp_path / "bomb.gif"
    path.write_bytes(gif(65_535, 65_535))
    assert path.stat().st_size == 35
    code = (
        "import resource, sys, pathlib\n"
        "from framesift.decoders import registry\n"
        "from framesift.errors import VideoTooLargeError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: registry.create(sys.argv[2]).index(pathlib.Path(sys.argv[1]))\n"
        "except VideoTooLargeError: pass\n"
        "else: sys.exit('it was read')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(path), type(decoder).__module__.rpartition(".")[2]]
    assert int(subprocess.check_output(command)) < 100_000  # KiB, most of it for libraries


def test_a_picture_larger_than_a_window_comes_alone(decoder, tmp_path, monkeypatch, write_video):
    path = write_video(tmp_path / "a.mp4", 6)
    monkeypatch.setattr("framesift.decoders.base.WINDOW_BYTES", 3 * 64 * 128 * 2)
    assert [len(frames) for frames in decoder.decode(path, range(6))] == [2, 2, 2]


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


@pytest.mark.parametrize("name", ["gone.mp4", "gone.gif"])
def test_a_file_that_is_gone_is_one_line(decoder, tmp_path, name):
    with pytest.raises(SourceError, match=f"'{name}' cannot be read: No such file"):
        decoder.index(tmp_path / name)


def test_a_folder_is_one_line(decoder, tmp_path):
    with pytest.raises(FramesiftError):
        decoder.index(tmp_path)


def test_paths_may_be_text(decoder, tmp_path, write_video, numbers_in):
    path = str(write_video(tmp_path / "a.mp4", 5))
    assert decoder.index(path).info.frame_count == 5
    (frames,) = decoder.decode(path, [4])
    assert numbers_in(frames.data) == [4]
    assert frames.data.dtype == np.uint8
