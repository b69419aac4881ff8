"""Pools the video to a smaller grid by averages over windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool3d

from framesift.run import stoppable
from framesift.strategies._rows import averaged
from framesift.strategies.base import Strategy
from framesift.types.options import Count
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

Layout = tuple[int, int, int]
"""Time steps, rows and columns."""


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
        layouts = _layouts(steps, height, width)
        return _pooled(
            live, next(each for each in stoppable(layouts) if _filled(live, each) <= budget)
        )


def _layouts(steps: int, height: int, width: int) -> Iterator[Layout]:
    """Yields layouts from the largest down; of equal ones those nearest to the proportions."""

    def distortion(shape: tuple[int, int]) -> int:
        return abs(shape[0] * width - shape[1] * height)

    shapes = [(h, w) for h in range(1, height + 1) for w in range(1, width + 1)]
    fair = [shape for shape in shapes if distortion(shape) <= max(height, width)]
    for shape in sorted(fair, key=lambda each: (-each[0] * each[1], distortion(each))):
        yield (steps, *shape)
    for count in range(steps - 1, 0, -1):
        yield (count, 1, 1)


def _filled(live: Tensor, layout: Layout) -> int:
    """Returns how many windows of a layout hold a live token."""
    if bool(live.all()):
        return layout[0] * layout[1] * layout[2]
    return int(adaptive_max_pool3d(live[None].float(), layout).sum())


def _pooled(live: Tensor, layout: Layout) -> TokenPlan:
    """Returns the plan of the means over the windows of a layout."""
    _, height, width = live.shape
    ends = [_windows(size, count) for size, count in zip(live.shape, layout, strict=True)]
    dst, src = torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long)
    for (outputs, inputs), count, size in zip(ends, layout, live.shape, strict=True):
        dst = (dst[:, None] * count + outputs).flatten()
        src = (src[:, None] * size + inputs).flatten()
    taken = live.flatten()[src]
    filled, dst = dst[taken].unique(return_inverse=True)
    return TokenPlan.from_entries(
        dst=dst,
        src=src[taken],
        weight=averaged(dst, len(filled)),
        num_in=live.numel(),
        num_out=len(filled),
        tokens_per_frame=height * width,
    )


def _windows(size: int, count: int) -> tuple[Tensor, Tensor]:
    """Returns the outputs and inputs that belong together along one axis, `(P,)` each."""
    pairs = [
        (output, place)
        for output in range(count)
        for place in range(output * size // count, -(-(output + 1) * size // count))
    ]
    outputs, inputs = torch.tensor(pairs).T
    return outputs, inputs
