"""The decoder contract: a file and times in, the frames shown at these times out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from framesift.types.frames import Frames
from framesift.types.video import VideoInfo, Warn


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameIndex:
    """Every frame of a stream, from its packets alone."""

    info: VideoInfo
    pts_seconds: npt.NDArray[np.float64]
    """Presentation times `(F,)` of all frames on the container's clock, ascending."""


@dataclass(frozen=True, kw_only=True)
class Decoder(ABC):
    """Reads frames in bounded memory, whatever the length of the video."""

    summary: ClassVar[str]
    """One line for tables and listings."""

    @abstractmethod
    def index(self, path: Path) -> FrameIndex:
        """Returns what the stream holds, without decoding it.

        Raises:
            CorruptVideoError: the file is empty, not a video, or too damaged to read.
            NoVideoStreamError: the file has no video stream.
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
        """Yields the frames at ascending `indices` (in presentation order), `window` at a time.

        Args:
            path: the video file.
            indices: positions in `index(path).pts_seconds`, ascending and unique.
            size_px: `(H, W)` to scale to; None for the display size (after pixel aspect and
                rotation).
            window: largest number of frames held at once.
            warn: told once, with counts and times, where damage cost frames.

        Raises:
            CorruptVideoError: not a single one of the frames could be decoded.
        """
