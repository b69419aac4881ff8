"""Picks the frames with the highest scores, however close together they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._ranking import best_first
from framesift.selectors._scored import Pick, Scored


@dataclass(frozen=True, kw_only=True)
class Topk(Scored):
    """Picks the `count` frames with the highest scores.

    Neighbours look alike and score alike, so one long moment may take all of the count; `nms`
    keeps a distance, and `stratified` looks everywhere.
    """

    summary: ClassVar[str] = "the frames with the highest scores"

    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns the `count` highest values, the highest first."""
        best = best_first(values)[:count]
        return [Pick(place, f"rank {rank} of {len(values)}") for rank, place in enumerate(best, 1)]
