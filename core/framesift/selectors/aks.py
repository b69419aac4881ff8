"""Picks frames by adaptive keyframe sampling: the best where scores peak, spread elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._ranking import groups_best_first, scaled, shared_out
from framesift.selectors._scored import Pick, Scored
from framesift.selectors._stretches import halved, picks_of_stretches
from framesift.types.options import Amount, Share


@dataclass(frozen=True, kw_only=True)
class Aks(Scored):
    """Halves the video again and again, except where a few frames stand out, and picks the best.

    This is adaptive keyframe sampling (AKS, CVPR 2025). A stretch whose best frames score higher
    than its mean by `threshold`, of scores scaled to [0, 1], is not halved any more: its part of
    the count goes to its best frames, however close they are. Elsewhere halving goes on, which
    spreads the frames.

    Differences from the release, which `aks-release` follows: the count is exact at any size, since
    halving ends where a stretch would get less than one frame, and remainders are shared out; the
    best frames of a stretch are as many as it gets, not as the whole video gets; equal scores are
    scaled to 0 instead of being divided by 0.
    """

    summary: ClassVar[str] = "halves of halves, except where a few frames stand out (AKS)"

    threshold: Share = 0.8
    """How far the best frames of a stretch must score above its mean to end its halving."""
    depth: Amount | None = None
    """How often the video is halved at most; None, or more than fits, until a stretch gets one
    frame."""

    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns `count` frames, the highest value first."""
        deepest = count.bit_length() - 1
        deepest = deepest if self.depth is None else min(deepest, self.depth)
        bounds, depths = halved(
            scaled(values), deepest, self.threshold, lambda depth: max(1, count // 2**depth)
        )
        quotas = [count / 2**depth for depth in depths]
        groups = groups_best_first(values, bounds)
        taken = shared_out(count, quotas, groups, values)
        return picks_of_stretches(taken, bounds, values, pts_seconds)
