"""The selector contract: sampled frames and a count in, the frames to keep out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.errors import BudgetError
from framesift.registry import Part
from framesift.types.options import whole
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of the sampled frames to keep, and why."""

    indices: tuple[int, ...]
    """Positions among the sampled frames, ascending and unique."""
    scores: tuple[float, ...]
    """How much each frame adds, in the unit of the selector."""
    reasons: tuple[str, ...]
    """Why each frame was kept, for a reader."""

    def __post_init__(self) -> None:
        if not len(self.indices) == len(self.scores) == len(self.reasons):
            raise ValueError("indices, scores and reasons must have one entry per frame")
        if list(self.indices) != sorted(set(self.indices)):
            raise ValueError(f"indices must be ascending and unique, got {self.indices}")


@dataclass(frozen=True, kw_only=True)
class Selector(Part):
    """A rule that picks exactly `count` of the sampled frames; ties go to the earlier frame."""

    encoder: ClassVar[str | None] = None
    """Encoder whose tokens the rule compares; None where the times alone decide."""
    signals: ClassVar[frozenset[str] | None] = None
    """Signals of those tokens that the rule reads; None for all that the encoder gives."""

    def select(
        self,
        pts_seconds: Tensor,
        tokens: VideoTokens | None,
        count: int,
        question: str | None = None,
    ) -> Selection:
        """Returns exactly `count` frames, or all of them where there are fewer.

        Args:
            pts_seconds: times `(T,)` of the sampled frames.
            tokens: the frames as this rule's `encoder` sees them, None where it names none.
            count: number of frames to keep.
            question: what the frames should help to answer; most rules ignore it.

        Raises:
            BudgetError: `count` is below 1.
        """
        count = whole("count", count, "frame", error=BudgetError)
        total = len(pts_seconds)
        if count >= total:
            reason = f"one of all {total} sampled frames"
            return Selection(
                indices=tuple(range(total)), scores=(1.0,) * total, reasons=(reason,) * total
            )
        return self.choose(pts_seconds, tokens, count, question)

    @abstractmethod
    def choose(
        self, pts_seconds: Tensor, tokens: VideoTokens | None, count: int, question: str | None
    ) -> Selection:
        """Returns `count` frames of more than `count`."""
