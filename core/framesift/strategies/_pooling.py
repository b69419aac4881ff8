"""Means over the windows of adaptive pooling: which inputs each window holds, and their plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool3d

from framesift.strategies._rows import averaged
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

Layout = tuple[int, int, int]
"""Time steps, rows and columns."""


def layouts(steps: int, height: int, width: int) -> Iterator[Layout]:
    """Yields layouts from the largest down; of equal ones those nearest to the proportions."""

    def distortion(shape: tuple[int, int]) -> int:
        return abs(shape[0] * width - shape[1] * height)

    shapes = [(h, w) for h in range(1, height + 1) for w in range(1, width + 1)]
    fair = [shape for shape in shapes if distortion(shape) <= max(height, width)]
    for shape in sorted(fair, key=lambda each: (-each[0] * each[1], distortion(each))):
        yield (steps, *shape)
    for count in range(steps - 1, 0, -1):
        yield (count, 1, 1)


def filled(live: Tensor, layout: Layout) -> int:
    """Returns how many windows of a layout hold a live token.

    Args:
        live: bool `(T, h, w)`.
        layout: of the windows.
    """
    if bool(live.all()):
        return layout[0] * layout[1] * layout[2]
    return int(adaptive_max_pool3d(live[None].float(), layout).sum())


def pooled(live: Tensor, layout: Layout) -> TokenPlan:
    """Returns the plan of the means over the windows of a layout.

    Args:
        live: bool `(T, h, w)`.
        layout: of the windows.
    """
    _, height, width = live.shape
    ends = [_windows(size, count) for size, count in zip(live.shape, layout, strict=True)]
    dst, src = torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long)
    for (outputs, inputs), count, size in zip(ends, layout, live.shape, strict=True):
        dst = (dst[:, None] * count + outputs).flatten()
        src = (src[:, None] * size + inputs).flatten()
    taken = live.flatten()[src]
    rows, dst = dst[taken].unique(return_inverse=True)
    return TokenPlan.from_entries(
        dst=dst,
        src=src[taken],
        weight=averaged(dst, len(rows)),
        num_in=live.numel(),
        num_out=len(rows),
        tokens_per_frame=height * width,
    )


def one_frame(tokens: VideoTokens, frame: int, budget: int) -> TokenPlan:
    """Returns the plan that shows one frame alone, on the largest grid within a budget."""
    live = tokens.live[frame].cpu().view(1, *tokens.grid)
    grids = layouts(1, *tokens.grid)
    plan = pooled(live, next(each for each in grids if filled(live, each) <= budget))
    plan = replace(plan, src=plan.src + frame * plan.tokens_per_frame, num_in=tokens.count)
    return plan.to(tokens.features.device)


def cells(grid: tuple[int, int], cells_grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns the cells and patches of one frame that belong together, int64 `(P,)` each.

    Both count in raster order. Where a side does not divide, a patch is in two cells.
    """
    (rows, row), (columns, column) = (
        _windows(size, count) for size, count in zip(grid, cells_grid, strict=True)
    )
    cell = (rows[:, None] * cells_grid[1] + columns).flatten()
    return cell, (row[:, None] * grid[1] + column).flatten()


def _windows(size: int, count: int) -> tuple[Tensor, Tensor]:
    """Returns the outputs and inputs that belong together along one axis, `(P,)` each."""
    pairs = [
        (output, place)
        for output in range(count)
        for place in range(output * size // count, -(-(output + 1) * size // count))
    ]
    outputs, inputs = torch.tensor(pairs).T
    return outputs, inputs
