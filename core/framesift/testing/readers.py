"""The promises of every reader of text, whatever it looks at or listens to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from framesift.compression.compressor import VideoCompressor
from framesift.readers import registry
from framesift.readers.base import Reader
from framesift.registry import registered_name
from framesift.run import on_progress
from framesift.testing._suite import PartPromises
from framesift.types.transcript import Transcript

LINES: Final = ("Nothing is lost", "Everything changes")
SECONDS: Final = 4
WIDTH_PX, HEIGHT_PX = 320, 96
SOUND_HZ: Final = 16_000
ALMOST: Final = 0.1
"""Seconds by which sound, which is coded in blocks, may end after the pictures."""


class StoppedError(Exception):
    """What a listener raises that wants the work to end."""


class ReaderContract(PartPromises):
    """Lines in time order within the video, the same ones each time: what readers promise.

    class TestMine(ReaderContract):
        spec = "mine:option=1"  # or an instance, or a class that needs no options

    A reader that finds nothing in a page of two lines with a tone overrides `video`.
    """

    registry = registry

    @pytest.fixture
    def reader(self, part: Reader) -> Reader:
        """The reader under test, as `part` makes it."""
        return part

    @pytest.fixture
    def video(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A video with text on the picture, a tone and subtitles beside it."""
        return spoken_page(tmp_path_factory.mktemp("readers") / "page.mp4")

    def test_lines_come_in_time_order_within_the_video(self, reader: Reader, video: Path) -> None:
        """Each has text, its reader's name, and a start and an end that the video has."""
        transcript = _read(reader, video)
        assert transcript.duration_seconds is not None
        for line in transcript.lines:
            assert line.text
            assert line.text == " ".join(line.text.split()), "text is one line"
            assert line.source == self.source(reader)
            assert 0 <= line.start_seconds <= line.end_seconds
            assert line.end_seconds <= transcript.duration_seconds + ALMOST
            assert line.confidence is None or 0 <= line.confidence <= 1
            starts = [line.end_seconds, *(start for start, _ in line.again_seconds)]
            assert starts == sorted(starts), "later stretches come later"
        starts = [line.start_seconds for line in transcript.lines]
        assert starts == sorted(starts)

    def source(self, reader: Reader) -> str:
        """Returns what its lines name as their source: the name that it is registered by."""
        return registered_name(type(reader))

    def test_boxes_lie_on_the_picture(self, reader: Reader, video: Path) -> None:
        """Lines have a box where the reader `gives_boxes`, and none elsewhere."""
        for line in _read(reader, video).lines:
            assert (line.box is not None) == reader.gives_boxes
            if line.box is not None:
                x0, y0, x1, y1 = line.box
                assert 0 <= x0 < x1 <= 1
                assert 0 <= y0 < y1 <= 1

    def test_the_same_lines_come_each_time(self, reader: Reader, video: Path) -> None:
        """Another object with the same options reads the same."""
        assert _read(reader, video).lines == _read(self.twin(reader), video).lines

    def test_it_says_what_it_took(self, reader: Reader, video: Path) -> None:
        """No more is read than there is."""
        (report,) = _read(reader, video).readings
        assert 0 <= report.frames_read <= report.frames_total
        assert report.pixels_read >= 0
        assert math.isfinite(report.seconds)

    def test_a_part_of_the_video_is_read_alone(self, reader: Reader, video: Path) -> None:
        """Lines of a part stand in it, on the clock of the whole video."""
        for line in _read(reader, f"{video}#t=1,3").lines:
            assert line.start_seconds < 3
            assert line.end_seconds > 1 - ALMOST

    def test_work_that_was_stopped_goes_on_to_the_same_lines(
        self, reader: Reader, video: Path, tmp_path: Path
    ) -> None:
        """With a folder to keep its pieces in, a reader that was stopped ends as any other."""
        whole = _read(reader, video).lines
        steps = iter(range(3))

        def stop(_: object) -> None:
            if next(steps, None) is None:
                raise StoppedError

        try:
            with on_progress(stop):
                _read(reader, video, tmp_path)
        except StoppedError:
            pass
        assert _read(reader, video, tmp_path).lines == whole
        assert not list(tmp_path.rglob("*.unfinished"))

    def test_what_was_read_is_kept_in_a_folder(
        self, reader: Reader, video: Path, tmp_path: Path
    ) -> None:
        """Another compressor with the same folder gives the same lines, and works on nothing."""
        whole = _read(reader, video, tmp_path).lines
        stages: list[str] = []
        with on_progress(lambda progress: stages.append(progress.stage)):
            assert _read(self.twin(reader), video, tmp_path).lines == whole
        assert stages == []


def spoken_page(path: Path) -> Path:
    """Returns `path`, a video of two lines, of which one comes later, with a tone and subtitles."""
    with av.open(str(path), "w") as container:
        pictures: Any = container.add_stream("libx264", rate=2)
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        sound: Any = container.add_stream("aac", rate=SOUND_HZ, layout="mono")
        for frame in _frames():
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        times = np.arange(SECONDS * SOUND_HZ) / SOUND_HZ
        wave = (0.3 * np.sin(2 * np.pi * 330 * times)).astype(np.float32)[None]
        tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        tone.sample_rate = SOUND_HZ
        container.mux(sound.encode(tone))
        container.mux(sound.encode())
    cue = f"1\n00:00:00,500 --> 00:00:02,000\n{LINES[0]}\n"
    path.with_suffix(".srt").write_text(cue, encoding="utf-8")
    return path


def _frames() -> Iterator[av.VideoFrame]:
    font = ImageFont.load_default(size=24)
    for number in range(2 * SECONDS):
        picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white")
        draw = ImageDraw.Draw(picture)
        for row, text in enumerate(LINES[: 1 if number < SECONDS else 2]):
            draw.text((16, 8 + 40 * row), text, fill="black", font=font)
        yield av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")


def _read(reader: Reader, video: Path | str, folder: Path | None = None) -> Transcript:
    return VideoCompressor(text=reader, text_folder=folder).transcript(video)
