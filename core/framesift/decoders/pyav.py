"""Decodes with libav through PyAV: exact times, little memory, no frame too many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from framesift.decoders import _libav
from framesift.decoders._orientation import Image
from framesift.decoders._timeline import read_timeline
from framesift.decoders.base import Decoder, FrameIndex


@dataclass(frozen=True, kw_only=True)
class PyavDecoder(Decoder):
    """Decodes forward and converts only the requested frames.

    It jumps to a keyframe where that leaves enough frames out, which keeps sparse sampling of long
    videos cheap without paying for a jump per frame.
    """

    summary: ClassVar[str] = "PyAV: exact times, jumps over what is not asked (default)"

    def scan(self, path: Path) -> FrameIndex:
        """Returns every frame of the stream; decodes one of them, for its shape and orientation."""
        return read_timeline(path, self.most_pixels).index

    def pictures(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None
    ) -> Iterator[tuple[int, Image]]:
        """Yields the pictures at `indices`, scaled while they are converted to RGB."""
        timeline = read_timeline(path, self.most_pixels)
        return _libav.pictures(path, timeline, indices, size_px, self.most_pixels)
