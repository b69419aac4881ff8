"""Picks frames as the released code of AKS does, and says where that gives fewer than asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._ranking import best_first, groups_best_first, scaled
from framesift.selectors._scored import Pick, Scored
from framesift.selectors._stretches import halved, picks_of_stretches
from framesift.types.options import Share


@dataclass(frozen=True, kw_only=True)
class AksRelease(Scored):
    """Picks what the released code of AKS picks, for comparison with its published figures.

    Scores on a scale of [0, 1] hardly ever exceed the mean by 0.8, so every stretch is halved five
    times and gives `int(k / 32)` frames: 32 or 64 frames are the best one or two of 32 equal
    stretches, and 8 or 16 frames are none at all. `published` gives just that. A selector gives
    exactly `count` frames, so `pick` completes them by the highest scores left, and the reasons say
    which those are. Use `aks` where the frames matter more than the comparison.

    Equal scores, which the release divides by 0, are taken as 0 here.
    """

    summary: ClassVar[str] = "AKS as it was released, to compare with; completed below 32 frames"

    threshold: Share = 0.8
    """How far the best frames of a stretch must score above its mean to end its halving."""
    depth: Annotated[int, Field(ge=0, le=30)] = 5
    """How often the video is halved at most."""

    def published(self, values: Tensor, count: int) -> list[int]:
        """Returns the places that the release picks of `values` `(T,)`, ascending.

        They may be fewer than `count`, or none.
        """
        if len(values) <= count:
            return list(range(len(values)))
        return sorted(place for some in self._stretches(values, count)[0] for place in some)

    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns `count` frames: those of the release first, then the highest scores left."""
        taken, bounds = self._stretches(values, count)
        picks = picks_of_stretches(taken, bounds, values, pts_seconds)
        known = {pick.place for pick in picks}
        left = [place for place in best_first(values) if place not in known]
        line = f"completes the count by its score: released AKS picks {len(picks)} of {count}"
        return picks + [Pick(place, line) for place in left[: count - len(picks)]]

    def _stretches(self, values: Tensor, count: int) -> tuple[list[list[int]], list[int]]:
        """Returns what each stretch gives, its best frame first, and the bounds of stretches."""
        # As released, the best scores are as many as the whole video gets, at every depth. A second
        # condition, on a standard deviation above -100, always holds.
        bounds, depths = halved(scaled(values), self.depth, self.threshold, lambda _: count)
        groups = groups_best_first(values, bounds)
        score = values.tolist()
        return [
            [place for place in group[: count // 2**depth] if score[place] > -torch.inf]
            for group, depth in zip(groups, depths, strict=True)
        ], bounds
