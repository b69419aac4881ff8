"""The selector contract: candidate frames and a count in, the frames to keep out."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Self

import numpy as np

from framesift.decoders.base import FrameIndex
from framesift.errors import BudgetError, InvalidOptionError, SelectionError
from framesift.registry import Part, registered_name
from framesift.scorers.candidates import Candidates
from framesift.types.options import shown, whole


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
            raise SelectionError("indices, scores and reasons must have one entry per frame")
        if list(self.indices) != sorted(set(self.indices)):
            raise SelectionError(f"indices must be ascending and unique, got {shown(self.indices)}")
        if self.ranks is not None and sorted(self.ranks) != list(range(len(self.indices))):
            raise SelectionError(
                f"ranks must be 0 to {len(self.indices) - 1}, got {shown(self.ranks)}"
            )


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
            SelectionError: the rule picked another number of frames, or none of the candidates.
        """
        count = whole("count", count, "frame", error=BudgetError)
        self.check_question(question)
        total = len(candidates)
        if count >= total:
            reason = f"one of all {total} sampled frames"
            return Selection(
                indices=tuple(range(total)), scores=(1.0,) * total, reasons=(reason,) * total
            )
        choice = self.choose(candidates, count, question)
        if wrong := _fault(choice, total, count):
            raise SelectionError(f"selector {self.spec!r} {wrong}")
        return choice

    @abstractmethod
    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns `count` frames of more than `count`."""


def _fault(choice: object, total: int, count: int) -> str | None:
    """Returns what a choice of `count` among `total` candidates breaks; None where it is right.

    Rules of other packages are held to it as well, so that nothing wrong is encoded and answered.
    """
    if not isinstance(choice, Selection):
        return f"gave {shown(choice)} instead of a Selection"
    if len(choice.indices) != count:
        return f"picked {len(choice.indices)} frames where {count} were asked; it must be exact"
    places: Sequence[object] = choice.indices
    for place in places:
        if not isinstance(place, int | np.integer) or not 0 <= int(place) < total:
            return f"picked {shown(place)}; picks are whole numbers from 0 to {total - 1}"
    if choice.curve is not None and len(choice.curve) != total:
        return f"gave a curve of {len(choice.curve)} scores for {total} candidates"
    for score in (*choice.scores, *(choice.curve or ())):
        if not isfinite(score):
            return f"gave a score of {shown(score)}; scores must be finite numbers"
    reasons: Sequence[object] = choice.reasons
    if not all(isinstance(reason, str) for reason in reasons):
        return "gave reasons that are no text"
    return None


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
