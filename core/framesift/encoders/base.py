"""The encoder contract: decoded frames in, visual tokens with their signals out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class Encoder(ABC):
    """Turns a window of frames into tokens; windows are independent of one another."""

    summary: ClassVar[str]
    """One line for tables and listings."""
    gives: ClassVar[frozenset[str]]
    """Names of the signals that `encode` fills."""

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)` of every frame, known before any frame is decoded."""

    @property
    @abstractmethod
    def input_px(self) -> tuple[int, int]:
        """Largest frame size `(H, W)` worth decoding; `encode` takes frames of any size."""

    @abstractmethod
    def encode(self, frames: Frames) -> VideoTokens:
        """Returns the tokens `(T, N, D)` of a window of at least one frame."""
