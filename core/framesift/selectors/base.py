"""The selector contract: candidate frames and a count in, the frames to keep out."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

from framesift.decoders.base import FrameIndex
from framesift.errors import BudgetError, InvalidOptionError
from framesift.registry import Part, registered_name
from framesift.scorers.candidates import Candidates
from framesift.types.options import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of the candidate frames to keep, and why."""

    indices: tuple[int, ...]
    """Places among the candidates, ascending and unique."""
    scores: tuple[float, ...]
    """How much each frame adds, in the unit of the selector."""
    reasons: tuple[str, ...]
    """Why each frame was kept, for a reader."""
    ranks: tuple[int, ...] | None = None
    """In which order the frames were chosen, from 0 on; None where there is no order."""
    curve: tuple[float, ...] | None = None
    """What every candidate is worth, None where only the picked frames were judged."""

    def __post_init__(self) -> None:
        if not len(self.indices) == len(self.scores) == len(self.reasons):
            raise ValueError("indices, scores and reasons must have one entry per frame")
        if list(self.indices) != sorted(set(self.indices)):
            raise ValueError(f"indices must be ascending and unique, got {self.indices}")
        if self.ranks is not None and sorted(self.ranks) != list(range(len(self.indices))):
            raise ValueError(f"ranks must be 0 to {len(self.indices) - 1}, got {self.ranks}")


@dataclass(frozen=True, kw_only=True)
class Selector(Part):
    """A rule that picks exactly `count` of the candidate frames; ties go to the earlier frame."""

    def __new__(cls, *_: object, **__: object) -> Self:
        """Refuses a selector that was written before `choose` took candidates."""
        _check_takes_candidates(cls)
        return super().__new__(cls)

    @property
    def reads_question(self) -> bool:
        """Whether other frames are picked for another question."""
        return False

    def check_question(self, question: str | None) -> None:
        """Makes sure that there is a question where the selector cannot do without.

        Raises:
            InvalidOptionError: there is none, or something else than text.
        """

    def limitation(self, uri: str) -> str | None:
        """Returns in one line why a choice among frames of a video means nothing; None if not."""
        return None

    def candidates(
        self, index: FrameIndex, sampled: Sequence[int], part_seconds: tuple[float, float] | None
    ) -> Sequence[int]:
        """Returns which frames of the stream are candidates: by default the sampled ones.

        Args:
            index: all frames.
            sampled: positions of the frames sampled at the wanted rate, ascending.
            part_seconds: start and end of the part that was opened; None for all of the video.
        """
        return sampled

    def select(self, candidates: Candidates, count: int, question: str | None = None) -> Selection:
        """Returns exactly `count` frames, or all of them where there are fewer.

        Args:
            candidates: the frames to choose among.
            count: number of frames to keep.
            question: what the frames should help to answer; most rules ignore it.

        Raises:
            BudgetError: `count` is below 1.
            InvalidOptionError: the selector needs a question, and there is none.
        """
        count = whole("count", count, "frame", error=BudgetError)
        self.check_question(question)
        total = len(candidates)
        if count >= total:
            reason = f"one of all {total} sampled frames"
            return Selection(
                indices=tuple(range(total)), scores=(1.0,) * total, reasons=(reason,) * total
            )
        return self.choose(candidates, count, question)

    @abstractmethod
    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns `count` frames of more than `count`."""


@cache
def _check_takes_candidates(kind: type[Selector]) -> None:
    taken = inspect.signature(kind.choose)
    try:
        taken.bind("self", "candidates", "count", "question")
    except TypeError as error:
        raise InvalidOptionError(
            f"selector {registered_name(kind)!r} ({kind.__module__}.{kind.__qualname__}) has "
            f"choose{taken}, which takes no candidates; update the package that it comes from, or "
            "write choose(self, candidates, count, question), where candidates.tokens(encoder) "
            "gives what encoders see"
        ) from error
