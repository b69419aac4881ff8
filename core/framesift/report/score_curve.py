"""What a selector thought of each candidate frame, over time, with the frames that it picked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from framesift.types.selection import SelectionReport

MOST_POINTS: Final = 600
LEVEL: Final = 50.0
"""Height of scores that are all equal, in per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickMark:
    """A picked frame on the curve; places are in per cent from the left and from the bottom."""

    x: float
    y: float
    seconds: float
    score: float
    rank: int | None
    """In which order it was picked, from 1 on; None where there is no order."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCurve:
    """Scores of candidate frames as a line; places are in per cent from the left and bottom."""

    points: tuple[tuple[float, float], ...]
    """At most `MOST_POINTS`: of more candidates, the best of each stretch."""
    picks: tuple[PickMark, ...]
    low: float
    high: float
    """Scores at the bottom and at the top."""
    candidates: int

    @property
    def labels(self) -> tuple[str, str]:
        """The scores at the bottom and at the top in words, told apart by three digits."""
        digits = 2 - math.floor(math.log10(self.high - self.low)) if self.high > self.low else 3
        low, high = (f"{value:.{max(0, digits)}f}" for value in (self.low, self.high))
        return low, high

    @property
    def path(self) -> str:
        """The line as the data of an SVG path, y from the top."""
        return "M" + "L".join(f"{x:g} {100 - y:g}" for x, y in self.points)

    @classmethod
    def of(
        cls, selection: SelectionReport, start_seconds: float, end_seconds: float
    ) -> ScoreCurve | None:
        """Returns the curve of a selection; None where only picks were judged, or no score differs.

        Args:
            selection: the choice.
            start_seconds: time at the left.
            end_seconds: time at the right.
        """
        scores, times = selection.curve, selection.candidate_seconds
        if not scores or len(selection.picked) == len(times):
            return None
        low, high = min(scores), max(scores)
        span = max(end_seconds - start_seconds, 1e-9)

        def place(index: int) -> tuple[float, float]:
            across = 100 * min(max((times[index] - start_seconds) / span, 0), 1)
            up = LEVEL if high == low else 100 * (scores[index] - low) / (high - low)
            return round(across, 3), round(up, 3)

        step = -(-len(scores) // MOST_POINTS)
        stretches = (range(n, min(n + step, len(scores))) for n in range(0, len(scores), step))
        best = [max(stretch, key=lambda index: scores[index]) for stretch in stretches]
        ranks: Sequence[int | None] = selection.ranks or [None] * len(selection.picked)
        return cls(
            points=tuple(map(place, best)),
            picks=tuple(
                PickMark(
                    x=place(index)[0],
                    y=place(index)[1],
                    seconds=times[index],
                    score=score,
                    rank=None if rank is None else rank + 1,
                    reason=reason,
                )
                for index, score, rank, reason in zip(
                    selection.picked, selection.scores, ranks, selection.reasons, strict=True
                )
            ),
            low=low,
            high=high,
            candidates=len(times),
        )
