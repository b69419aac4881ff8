"""Picks the best frames of each of several equal parts of the video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._ranking import groups_best_first, shared_out
from framesift.selectors._scored import Pick, Scored
from framesift.selectors._stretches import picks_of_stretches
from framesift.types.options import Count


@dataclass(frozen=True, kw_only=True)
class Stratified(Scored):
    """Cuts the candidates into equal parts and picks the best of each.

    No part of the video is left out, so the rule is safe where scores are doubtful. The released
    AKS at its defaults comes down to `stratified:parts=32`.
    """

    summary: ClassVar[str] = "the best frame of each equal part"

    parts: Count | None = None
    """Number of equal parts, at most one for each frame that is kept; None for just that."""

    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns `count` frames, the highest value first."""
        parts = min(count, self.parts or count)
        bounds = [number * len(values) // parts for number in range(parts + 1)]
        groups = groups_best_first(values, bounds)
        taken = shared_out(count, [count / parts] * parts, groups, values)
        return picks_of_stretches(taken, bounds, values, pts_seconds)
