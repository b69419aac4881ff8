"""Pools the video to a smaller grid by averages over windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from framesift.run import stoppable
from framesift.strategies import _pooling
from framesift.strategies.base import Strategy
from framesift.types.options import Count
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class PLLaVA(Strategy):
    """Averages tokens over the windows of a smaller regular grid, as adaptive pooling does.

    The number of tokens is that of the largest layout that fits the budget: every frame is kept,
    and its grid has its own proportions to within one row or column. Only a budget below one token
    a frame pools over time as well. Where a size does not divide another, windows overlap by one
    place, and a token may count in several.

    Differences from the published method:

    - The layout follows from the budget; the released models pool to 16 frames of 12 x 12.
    - Short clips are not filled up with repeated frames.
    - No weights are trained for it, which the original relies on: here it is a baseline.
    - Masked tokens take no part, and a window of nothing else gives no token.
    """

    summary: ClassVar[str] = "adaptive average pooling to the largest grid that fits"
    paper: ClassVar[str] = "https://arxiv.org/abs/2404.16994"
    cost: ClassVar[str] = "O(T N)"
    structural: ClassVar[bool] = True

    frames: Count | None = None
    """Most time steps of the layout; None keeps every frame where the budget allows."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of the largest layout of at most `budget` tokens."""
        height, width = tokens.grid
        live = torch.ones(tokens.frame_count, height, width, dtype=torch.bool)
        if tokens.mask is not None:
            live = tokens.mask.cpu().view_as(live)
        steps = min(tokens.frame_count, self.frames or tokens.frame_count)
        layouts = stoppable(_pooling.layouts(steps, height, width))
        return _pooling.pooled(
            live, next(each for each in layouts if _pooling.filled(live, each) <= budget)
        )
