"""Pictures by PyAV: what `pyav` gives, and other decoders where they are not exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from av.video.frame import VideoFrame

from framesift.decoders import _container
from framesift.decoders._orientation import Image
from framesift.decoders._timeline import Timeline
from framesift.decoders.seeking import SeekingReader


def pictures(
    path: Path,
    timeline: Timeline,
    indices: Sequence[int],
    size_px: tuple[int, int] | None,
    max_pixels: int,
) -> Iterator[tuple[int, Image]]:
    """Yields the pictures at `indices`, scaled while they are converted to RGB."""
    height, width = timeline.stored_size(size_px)
    with _container.open_video(path, max_pixels) as (container, stream):
        for index, frame in SeekingReader(container, stream, timeline, indices):
            yield index, timeline.orientation.apply(_rgb(frame, width, height))


def _rgb(frame: VideoFrame, width: int, height: int) -> Image:
    shrinks = width < frame.width or height < frame.height
    image = frame.to_ndarray(
        format="rgb24", width=width, height=height, interpolation="AREA" if shrinks else "BICUBIC"
    )
    return cast(Image, image)
