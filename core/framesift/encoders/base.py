"""The encoder contract: decoded frames in, visual tokens with their signals out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from framesift.registry import describe
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import VideoInfo


@dataclass(frozen=True, kw_only=True)
class Encoder(ABC):
    """Turns a window of frames into tokens; windows are independent of one another."""

    summary: ClassVar[str]
    """One line for tables and listings."""
    gives: ClassVar[frozenset[str]]
    """Names of the signals that `encode` fills."""

    @property
    def spec(self) -> str:
        """What stands in reports for this encoder."""
        return describe(self)

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)` of every frame, known before any frame is decoded."""

    @property
    @abstractmethod
    def input_px(self) -> tuple[int, int]:
        """Largest frame size `(H, W)` worth decoding; `encode` takes frames of any size."""

    @property
    def frames_per_step(self) -> int:
        """How many sampled frames make one time step of the tokens."""
        return 1

    def fitted(self, info: VideoInfo) -> Self:
        """Returns the encoder for one video, where grid or frame size follow the video's size."""
        return self

    def region(self, info: VideoInfo) -> tuple[float, float, float, float]:
        """Returns the part `(x0, y0, x1, y1)` of the picture that the grid covers, relative.

        The whole picture is `(0, 0, 1, 1)`; a crop covers less, padding goes beyond.
        """
        return 0.0, 0.0, 1.0, 1.0

    @abstractmethod
    def encode(self, frames: Frames) -> VideoTokens:
        """Returns the tokens `(T, N, D)` of a window of at least one frame.

        With `frames_per_step` above 1, `T` counts steps, each at the time of its first frame; the
        last frame is repeated where it has no partner.
        """
