"""The decoder contract: a file and times in, the frames shown at these times out."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from framesift.decoders._boundary import reading
from framesift.registry import Part
from framesift.types.frames import Frames
from framesift.types.options import Count
from framesift.types.video import MAX_PIXELS, VideoInfo, Warn

logger = logging.getLogger(__name__)

MOST_STAY_SECONDS: Final = 86_400.0
"""Longest that a last picture is believed to stay, whatever a file or a site says."""

Index = Callable[["Decoder", Path], "FrameIndex"]
Decode = Callable[..., Iterator[Frames]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameIndex:
    """Every frame of a stream, from its packets alone."""

    info: VideoInfo
    pts_seconds: npt.NDArray[np.float64]
    """Presentation times `(F,)` of all frames on the container's clock, ascending."""
    is_cut: bool = False
    """Whether the file breaks off before its announced end."""

    def staying(self, until_seconds: float) -> FrameIndex:
        """Returns the index of the same frames, of which the last one stays until a time.

        What comes after the end of a file that breaks off is not known, so that one keeps its end.
        """
        longest_seconds = float(self.pts_seconds[-1]) + MOST_STAY_SECONDS
        length_seconds = min(until_seconds, longest_seconds) - self.info.start_seconds
        if self.is_cut or not self.info.duration_seconds < length_seconds:
            return self
        return replace(self, info=replace(self.info, duration_seconds=length_seconds))


@dataclass(frozen=True, kw_only=True)
class Decoder(Part):
    """Reads frames in bounded memory, whatever the length of the video.

    Whatever else a decoder raises on the bytes of a file leaves `index` and `decode` as one of the
    errors that they name.
    """

    max_pixels: Count | None = None
    """Most pixels of a picture; a larger one is refused before it is decoded. None for what the
    limits of whoever uses the decoder say."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Puts the one boundary for errors around what a subclass defines."""
        super().__init_subclass__(**options)
        if "index" in vars(cls):
            cls.index = _bounded_index(cls.index)  # type: ignore[method-assign, assignment]
        if "decode" in vars(cls):
            cls.decode = _bounded_decode(cls.decode)  # type: ignore[method-assign]

    @property
    def most_pixels(self) -> int:
        """The limit that holds."""
        return MAX_PIXELS if self.max_pixels is None else self.max_pixels

    @abstractmethod
    def index(self, path: Path) -> FrameIndex:
        """Returns what the stream holds, without decoding it.

        Raises:
            CorruptVideoError: the file is empty, not a video, or too damaged to read.
            NoVideoStreamError: the file has no video stream.
            VideoTooLargeError: its pictures have more pixels than are allowed.
            SourceError: the file cannot be read at all.
        """

    @abstractmethod
    def decode(
        self,
        path: Path,
        indices: Sequence[int],
        *,
        size_px: tuple[int, int] | None = None,
        window: int = 16,
        warn: Warn | None = None,
    ) -> Iterator[Frames]:
        """Yields the frames at ascending `indices` (in presentation order), a window at a time.

        Args:
            path: the video file.
            indices: positions in `index(path).pts_seconds`, ascending and unique.
            size_px: `(H, W)` to scale to; None for the display size (after pixel aspect and
                rotation).
            window: largest number of frames held at once; fewer where they are very large.
            warn: told once, with counts and times, where damage cost frames, and where the clock
                of the file jumps.

        Raises:
            CorruptVideoError: not a single one of the frames could be decoded.
        """


def _bounded_index(index: Index) -> Index:
    @wraps(index)
    def bounded(self: Decoder, path: Path) -> FrameIndex:
        with reading(Path(path)):
            return index(self, Path(path))

    return bounded


def _bounded_decode(decode: Decode) -> Decode:
    @wraps(decode)
    def bounded(
        self: Decoder, path: Path, indices: Sequence[int], **options: Any
    ) -> Iterator[Frames]:
        warn, lines = options.get("warn") or logger.warning, list[str]()
        with reading(Path(path)):
            yield from decode(self, Path(path), indices, **{**options, "warn": lines.append})
        for line in lines:  # what the listener raises is not an error of the file
            warn(line)

    return bounded
