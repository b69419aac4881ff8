"""Pictures by PyAV: what `pyav` gives, and other decoders where they are not exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from framesift.decoders._orientation import Image
from framesift.decoders._timeline import Timeline
from framesift.decoders.seeking import found_frames


def pictures(
    path: Path,
    timeline: Timeline,
    indices: Sequence[int],
    size_px: tuple[int, int] | None,
    max_pixels: int,
) -> Iterator[tuple[int, Image]]:
    """Yields the pictures at `indices`, scaled while they are converted to RGB."""
    height, width = timeline.stored_size(size_px)
    reformatter = VideoReformatter()
    for index, frame in found_frames(path, timeline, indices, max_pixels):
        picture = _rgb(reformatter, frame, width, height)
        yield index, timeline.orientation.apply(picture)


def _rgb(reformatter: VideoReformatter, frame: VideoFrame, width: int, height: int) -> Image:
    shrinks = width < frame.width or height < frame.height
    scaled = reformatter.reformat(
        frame, width, height, "rgb24", interpolation="AREA" if shrinks else "BICUBIC", threads=1
    )
    return cast(Image, scaled.to_ndarray())
