"""What every decoder does with files that are damaged, huge or not videos."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from framesift.decoders.base import Decoder
from framesift.errors import (
    CorruptVideoError,
    FramesiftError,
    InvalidOptionError,
    NoVideoStreamError,
    SourceError,
    VideoTooLargeError,
)
from framesift.testing._suite import Made
from framesift.testing.videos import FRAGMENTED, all_of, numbers_in, write_video

TITLE = b"a title of the film"
NO_TEXT = {"latin-1": b"\xe9\xc0\xdf", "utf-16": b"\xff\xfe\x00\xd8", "cut": b"ab\xe2\x82"}


NOISE: dict[str, Any] = {"count": 60, "size": (96, 128), "codec_options": {"g": "12", "qp": "4"}}


def cut_in_half(path: Path) -> Path:
    """Returns the file without its second half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def remux(source: Path, target: Path, title: str) -> None:
    """Writes a video again, with a title."""
    plain = {"write_crc32": "0"} if target.suffix == ".mkv" else {}
    with av.open(str(source)) as given, av.open(str(target), "w", options=plain) as made:
        made.metadata["title"] = title
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = stream
                made.mux(packet)


def gif(width: int, height: int) -> bytes:
    """Returns a picture of one pixel that claims another size."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02D\x01\0;"


class DamagePromises(Made):
    """Promises about bad files: the good frames, one warning, or one clear error."""

    @pytest.mark.parametrize(
        ("name", "container_options"),
        [
            ("cut.mp4", {"movflags": "faststart"}),
            ("cut-fragments.mp4", FRAGMENTED),
            ("cut.mkv", {}),
            ("cut.ts", {}),
        ],
    )
    def test_a_cut_file_gives_its_good_half(
        self,
        decoder: Decoder,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        name: str,
        container_options: dict[str, str],
    ) -> None:
        """A file that breaks off gives the frames before that, with a warning at most."""
        path = write_video(tmp_path / name, **NOISE, container_options=container_options)
        cut_in_half(path)
        warnings: list[str] = []

        frames = all_of(decoder, path, warn=warnings.append)

        assert 15 < len(frames) < 45
        assert numbers_in(frames.data) == frames.indices.tolist()
        assert len(warnings) <= 1
        assert capfd.readouterr().err == ""

    def test_a_cut_file_says_where_it_breaks_off(self, decoder: Decoder, tmp_path: Path) -> None:
        """The warning of a file that breaks off says where."""
        path = write_video(tmp_path / "a.mp4", **NOISE, container_options={"movflags": "faststart"})
        warnings: list[str] = []

        all_of(decoder, cut_in_half(path), [0], warn=warnings.append)

        (line,) = warnings
        assert "breaks off" in line

    def test_damage_in_the_middle_costs_some_frames_and_is_told_once(
        self, decoder: Decoder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Damage in the middle costs frames there only, and one warning counts them."""
        path = write_video(tmp_path / "a.mp4", **NOISE, container_options={"movflags": "faststart"})
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 600] = b"\xff" * 600
        path.write_bytes(content)
        warnings: list[str] = []

        frames = all_of(decoder, path, warn=warnings.append)

        (line,) = warnings
        assert f"{60 - len(frames)} of 60 asked frames are lost" in line
        assert 30 < len(frames) < 60
        assert {0, 59} <= set(frames.indices.tolist())
        assert numbers_in(frames.data[[0, -1]]) == [0, 59]
        assert capfd.readouterr().err == ""

    def test_an_mp4_cut_before_its_table_cannot_be_opened(
        self, decoder: Decoder, tmp_path: Path
    ) -> None:
        """An MP4 without its table of frames is refused by name."""
        path = cut_in_half(write_video(tmp_path / "a.mp4"))

        with pytest.raises(CorruptVideoError, match=r"a\.mp4"):
            decoder.index(path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"This is no video.\n" * 200, np.random.default_rng(0).bytes(50_000), b"\0" * 5000],
        ids=["empty", "text", "random", "zeros"],
    )
    def test_what_is_no_video_is_refused(
        self, decoder: Decoder, tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes
    ) -> None:
        """A file that is not a video is refused by name, without output of libraries."""
        path = tmp_path / "fake.mp4"
        path.write_bytes(content)

        with pytest.raises(CorruptVideoError, match=r"fake\.mp4"):
            decoder.index(path)
        assert capfd.readouterr().err == ""

    def test_sound_alone_is_refused(self, decoder: Decoder, tmp_path: Path) -> None:
        """A file with sound only is refused, and the error says so."""
        path = write_video(tmp_path / "sound.m4a", 0, audio_seconds=0.5)
        with pytest.raises(NoVideoStreamError, match="audio"):
            decoder.index(path)

    @pytest.mark.parametrize(
        ("indices", "options", "complaint"),
        [
            ([3, 2], {}, "ascend"),
            ([2, 2], {}, "ascend"),
            ([30], {}, "within 0..29"),
            ([-1], {}, "within 0..29"),
            ([0], {"window": 0}, "window=0"),
            ([0], {"size_px": (0, 5)}, "size_px"),
        ],
    )
    def test_impossible_requests_are_refused(
        self,
        decoder: Decoder,
        odd_videos: dict[str, Path],
        indices: list[int],
        options: dict[str, Any],
        complaint: str,
    ) -> None:
        """Indices, windows and sizes out of range are refused."""
        with pytest.raises(InvalidOptionError, match=complaint):
            list(decoder.decode(odd_videos["b-frames"], indices, **options))

    @pytest.mark.parametrize("kind", NO_TEXT)
    @pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mov", ".flv", ".mkv", ".ts"])
    def test_a_title_in_no_known_letters_hurts_nobody(
        self, decoder: Decoder, tmp_path: Path, suffix: str, kind: str
    ) -> None:
        """Metadata in an unknown character set does not matter."""
        path = write_video(tmp_path / f"a{suffix}", 5, codec_options={"bf": "0"})
        titled = tmp_path / f"titled{suffix}"
        remux(path, titled, TITLE.decode())
        content = titled.read_bytes()
        letters = (NO_TEXT[kind] * len(TITLE))[: len(TITLE)]
        assert content.count(TITLE) or suffix == ".ts"
        titled.write_bytes(content.replace(TITLE, letters))
        assert decoder.index(titled).info.frame_count == 5
        assert sum(len(frames) for frames in decoder.decode(titled, range(5))) == 5

    @pytest.mark.parametrize(
        ("name", "codec"), [("a.mp4", b"avc1"), ("a.mkv", b"V_MPEG4/ISO/AVC"), ("a.avi", b"H264")]
    )
    def test_a_codec_that_nobody_knows_is_named(
        self, decoder: Decoder, tmp_path: Path, name: str, codec: bytes
    ) -> None:
        """A codec that is not known is an error that says to convert the file."""
        plain = {"write_crc32": "0"} if name == "a.mkv" else {}
        path = write_video(tmp_path / name, 5, container_options=plain)
        unknown = codec[:2] + b"Z" * (len(codec) - 2)
        path.write_bytes(path.read_bytes().replace(codec, unknown))
        with pytest.raises(NoVideoStreamError, match="codec that is not known here; convert it"):
            decoder.index(path)

    def test_a_few_bytes_take_no_memory(self, decoder: Decoder, tmp_path: Path) -> None:
        """A small file that claims a huge picture is refused before memory is taken."""
        if not self.is_registered:
            pytest.skip("given as an instance or a class; another process makes it of its spec")
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
        command = [
            sys.executable,
            "-c",
            code,
            str(path),
            decoder.spec,
        ]
        assert int(subprocess.check_output(command)) < 100_000  # KiB, most of it for libraries

    @pytest.mark.parametrize("name", ["gone.mp4", "gone.gif"])
    def test_a_file_that_is_gone_is_one_line(
        self, decoder: Decoder, tmp_path: Path, name: str
    ) -> None:
        """A missing file is an error of one line that names it."""
        with pytest.raises(SourceError, match=f"'{name}' cannot be read: No such file"):
            decoder.index(tmp_path / name)

    def test_a_folder_is_one_line(self, decoder: Decoder, tmp_path: Path) -> None:
        """A folder in the place of a file is an error of framesift."""
        with pytest.raises(FramesiftError):
            decoder.index(tmp_path)

    def test_paths_may_be_text(self, decoder: Decoder, tmp_path: Path) -> None:
        """A path may be a `str`."""
        path: Any = str(write_video(tmp_path / "a.mp4", 5))
        assert decoder.index(path).info.frame_count == 5
        (frames,) = decoder.decode(path, [4])
        assert numbers_in(frames.data) == [4]
        assert frames.data.dtype == np.uint8

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.h264", "a.mpg"])
    def test_pictures_above_the_limit_are_refused(
        self, decoder: Decoder, tmp_path: Path, name: str
    ) -> None:
        """Pictures with more pixels than `max_pixels` are refused, with both figures."""
        path = write_video(tmp_path / name, 3)
        small = replace(decoder, max_pixels=64 * 128 - 1)
        with pytest.raises(VideoTooLargeError, match=rf"{name}.* 128 x 64 pixels, allowed are"):
            small.index(path)
        with pytest.raises(VideoTooLargeError, match="raise max_pixels"):
            list(small.decode(path, [0]))
        allowed = replace(decoder, max_pixels=64 * 128)
        assert allowed.index(path).info.frame_count == 3
