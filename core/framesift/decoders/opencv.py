"""Decodes with OpenCV's own libav: a second opinion on pixels, frame by frame from the start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import cv2

from framesift.decoders._orientation import Image
from framesift.decoders._timeline import Timeline, read_timeline
from framesift.decoders.base import Decoder, FrameIndex
from framesift.decoders.seeking import pick
from framesift.errors import CorruptVideoError, DecodeError


@dataclass(frozen=True, kw_only=True)
class OpencvDecoder(Decoder):
    """Grabs every frame in order and retrieves the requested ones; never seeks.

    OpenCV gives the times of frames only while it decodes, and not how late a stream starts, so
    the index comes from the packets, as in `pyav`; `CAP_PROP_POS_MSEC` only says which frame was
    grabbed. Its limits: the first video stream of a file only, no AV1 in the wheels, wrong pixels
    for interlaced video (OpenCV 5.0), and concealed damage that looks like good frames.
    """

    summary: ClassVar[str] = "OpenCV: every frame in order, for comparison"

    def scan(self, path: Path) -> FrameIndex:
        """Returns every frame of the stream; decodes one of them, for its shape and orientation."""
        return read_timeline(path, self.most_pixels).index

    def pictures(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None
    ) -> Iterator[tuple[int, Image]]:
        """Yields the pictures at `indices`, scaled after they are converted to RGB.

        Raises:
            DecodeError: the main video stream is not the first one of the file.
        """
        timeline = read_timeline(path, self.most_pixels)
        capture = _open(path, timeline)
        height, width = timeline.stored_size(size_px)
        try:
            for index, _ in pick(_grabbed(capture, timeline), indices):
                ok, image = capture.retrieve()
                if ok:
                    yield index, timeline.orientation.apply(_rgb(cast(Image, image), width, height))
        finally:
            capture.release()


def _open(path: Path, timeline: Timeline) -> cv2.VideoCapture:
    if not timeline.is_first_stream:
        raise DecodeError(
            f"the main video stream of {path.name!r} is not its first; OpenCV reads only the first "
            "one, use the decoder 'pyav'"
        )
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise CorruptVideoError(f"{path.name!r} cannot be opened by OpenCV; use the decoder 'pyav'")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    return capture


def _grabbed(capture: cv2.VideoCapture, timeline: Timeline) -> Iterator[tuple[int, None]]:
    count, position = 0, -1
    total, counts = len(timeline.ticks), timeline.counted or timeline.mended is not None
    for _ in range(2 * len(timeline.ticks)):  # a failed grab may be damage, not the end
        if not capture.grab():
            continue
        since_start = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 / float(timeline.time_base)
        tick = round(since_start) + timeline.start_tick
        shown = timeline.position(tick) if not counts else count if count < total else None
        count += 1
        if shown is not None:  # OpenCV gives time 0 to the last frame of an MPEG program stream
            position = max(shown, position + 1)
            yield position, None


def _rgb(image: Image, width: int, height: int) -> Image:
    rgb = cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    stored_height, stored_width = rgb.shape[:2]
    if (stored_height, stored_width) == (height, width):
        return rgb
    shrinks = width < stored_width or height < stored_height
    filter_ = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cast(Image, cv2.resize(rgb, (width, height), interpolation=filter_))
