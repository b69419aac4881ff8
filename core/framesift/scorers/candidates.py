"""The frames that a selector chooses among, decoded and encoded only as far as somebody asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from framesift.decoders.base import WINDOW, FrameIndex
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import TimedText


@dataclass(slots=True, kw_only=True)
class SelectionCost:
    """What choosing frames has cost so far."""

    frames_decoded: int = 0
    """Frames decoded, those that were decoded for an earlier question left out."""
    frames_encoded: int = 0
    """Frames that an encoder saw, likewise."""
    calls: int = 0
    """Frames, or questions about a video, that a scoring model was run on."""


@dataclass(kw_only=True)
class Candidates(ABC):
    """Frames in time order, any of which may be chosen; all of them can be decoded."""

    pts_seconds: Tensor
    """Times `(T,)`, float64 on the CPU, ascending."""
    uri: str = ""
    """Address of the video, without credentials."""
    index: FrameIndex | None = None
    """All frames of the stream; None where no file is known."""
    indices: Sequence[int] | None = None
    """Positions of the candidates in the stream; None where no file is known."""
    cost: SelectionCost = field(default_factory=SelectionCost)
    warnings: list[str] = field(default_factory=list)
    """Why scores that were given to these frames mean nothing, each line once."""

    def __len__(self) -> int:
        return len(self.pts_seconds)

    @property
    def texts(self) -> tuple[TimedText, ...]:
        """What is said and written in the video, on the same clock; may be read with the use."""
        return ()

    @abstractmethod
    def tokens(
        self,
        encoder: str | Encoder,
        signals: frozenset[str] | None = frozenset(),
        places: Sequence[int] | None = None,
    ) -> VideoTokens:
        """Returns the candidates as an encoder sees them, `(T, N, D)`, one row a frame.

        They are decoded no larger than the encoder wants them, encoded in batches on its device,
        and kept for the next one who asks.

        Args:
            encoder: spec string or object; one that joins frames to steps is refused.
            signals: what it fills besides the features, as in `Encoder.encode`.
            places: only these candidates, ascending; None for all.
        """

    @abstractmethod
    def pictures(
        self, places: Sequence[int] | None = None, max_side_px: int | None = None
    ) -> Iterator[Frames]:
        """Yields the pixels of candidates, a window at a time.

        Args:
            places: only these candidates, ascending; None for all.
            max_side_px: longest side to scale them down to; None for the display size.
        """


@dataclass(kw_only=True)
class GivenCandidates(Candidates):
    """Candidates in memory: pictures, or tokens that stand for what any encoder would give."""

    given_tokens: VideoTokens | None = None
    frames: Frames | None = None
    given_texts: tuple[TimedText, ...] = ()

    @property
    def texts(self) -> tuple[TimedText, ...]:
        """The given lines."""
        return self.given_texts

    def tokens(
        self,
        encoder: str | Encoder,
        signals: frozenset[str] | None = frozenset(),
        places: Sequence[int] | None = None,
    ) -> VideoTokens:
        """Returns the given tokens, or the given pictures as the encoder sees them."""
        chosen = range(len(self)) if places is None else places
        self.cost.frames_encoded += len(chosen)
        if self.given_tokens is not None:
            return self.given_tokens if places is None else self.given_tokens.frames(list(places))
        made, frames = encoders.create(encoder), self._frames(chosen)
        starts = range(0, len(frames), WINDOW)
        windows = (made.encode(frames[start : start + WINDOW], signals) for start in starts)
        return VideoTokens.gather(windows, len(frames))

    def pictures(
        self, places: Sequence[int] | None = None, max_side_px: int | None = None
    ) -> Iterator[Frames]:
        """Yields the given pictures as they are."""
        frames = self._frames(range(len(self)) if places is None else places)
        self.cost.frames_decoded += len(frames)
        for start in range(0, len(frames), WINDOW):
            yield frames[start : start + WINDOW]

    def _frames(self, places: Sequence[int]) -> Frames:
        if self.frames is None:
            raise ValueError("these candidates were given without pictures")
        return self.frames[np.asarray(places, np.int64)]
