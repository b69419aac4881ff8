"""Merges like patches into larger ones, then like ones of neighbouring frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._quadtree import ONE, Quadtree
from framesift.strategies.base import Strategy
from framesift.types.options import Amount
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class STTM(Strategy):
    """Cuts each frame into squares of like patches, and joins like squares over time.

    A square of the quadtree is split where a quarter is less like it than the spatial threshold;
    one that is its own only quarter, in the upper left corner of an odd grid, is never split.
    Squares of neighbouring frames are joined where one holds the other and they are at least as
    alike as the temporal threshold; an output is the mean of all patches of what was joined. Both
    thresholds fall together until the budget is met: the temporal one lies `time_slack` times as
    far below 1 as the spatial one. Where no pair of thresholds meets the budget, the merges between
    the two nearest are made one by one: quarters into squares, small squares first, then squares
    over time, the most alike first.

    Differences from the published method:

    - One budget in place of two thresholds. Where the largest squares that `root_level` allows
      are more than the budget, larger ones are made, up to the whole frame.
    - A square with fewer than four quarters, at the upper or left border of an odd grid, is treated
      as any other. The original also compares it with the first square of the next finer level of
      its frame, which lies elsewhere, and splits it where the two are unlike.
    - Squares that are linked over time are one output. The original stops passing links on before
      all of them agree, so that it keeps some linked squares apart.
    - Patches weigh the same, so that a large square outweighs a small one that it is joined with;
      the original offers this as an option, and `weighted=false` gives the other one.
    - Tokens before the LLM are merged, not the states after its second layer.
    """

    summary: ClassVar[str] = "quadtree of like patches, joined over neighbouring frames"
    paper: ClassVar[str] = "https://arxiv.org/abs/2507.07990"
    cost: ClassVar[str] = "O(T N D log N)"

    time_slack: Annotated[float, Field(ge=0.001, le=1000)] = 2.5
    """How much less alike squares may be over time than within a frame: (1 - temporal) over (1 -
    spatial) threshold. Published pairs are 0.8 with 0.5 and 0.85 with 0.65."""
    root_level: Amount = 1
    """How many levels the largest squares lie below those that are two to a side of the grid:
    with the published 1, a frame of 14 x 14 has 4 x 4 of them or more."""
    weighted: bool = True
    """Whether patches weigh the same in an output, or else the squares that were joined."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan whose rows are the joined squares."""
        tree, live = Quadtree.of(tokens, self.root_level), tokens.live.flatten()
        low, high = min(-ONE, ONE - int(2 * ONE / self.time_slack) - 1), ONE + 1
        while tree.top < tree.deepest and _count(self.groups(tree, low), live) > budget:
            tree = replace(tree, top=tree.top + 1)
        spatial, group = high, self.groups(tree, high)
        while (count := _count(group, live)) != budget and high - low > 1:
            spatial = (low + high) // 2
            group = self.groups(tree, spatial)
            count = _count(group, live)
            low, high = (spatial, high) if count <= budget else (low, spatial)
        if count != budget:
            spatial, group = high, self._between(tree, low, high, live, budget)
        square = None if self.weighted else tree.squares(spatial).flatten()
        return averaged(torch.where(live, group, -1), square, tokens.tokens_per_frame)

    def groups(self, tree: Quadtree, spatial: int) -> Tensor:
        """Returns the group of each patch at a spatial threshold in millionths, `(T * N,)`."""
        return tree.groups(spatial, self._temporal(spatial))

    def _temporal(self, spatial: int) -> int:
        """Returns the temporal threshold that goes with a spatial one, both in millionths."""
        # Similarities are whole, so the next whole number above is the same threshold. Rounded
        # first, as a product such as 7 / 3 * 150,000 is a little off.
        return math.ceil(round(ONE - self.time_slack * (ONE - spatial), 3))

    def _between(self, tree: Quadtree, low: int, high: int, live: Tensor, budget: int) -> Tensor:
        """Returns exactly `budget` groups, between those of neighbouring thresholds.

        One join more makes at most one group less, so the number of joins is found by bisection.
        """
        joins = [
            tree.joins(high, self._temporal(high)),
            tree.unsplit(low, high),
            tree.joins(low, self._temporal(low)),
        ]
        first, second = (torch.cat(column) for column in zip(*joins, strict=True))
        square = tree.squares(high).flatten()
        few, many = 0, len(first)
        while many - few > 1:
            middle = (few + many) // 2
            group = _ops.components(len(square), first[:middle], second[:middle])[square]
            few, many = (few, middle) if _count(group, live) <= budget else (middle, many)
        return _ops.components(len(square), first[:many], second[:many])[square]


def averaged(group: Tensor, square: Tensor | None, tokens_per_frame: int) -> TokenPlan:
    """Returns the plan of the means of groups: of their patches, or of their squares.

    Args:
        group: group of each patch, `(T * N,)`; negative drops the patch.
        square: square of each patch where squares weigh the same, None where patches do.
        tokens_per_frame: patches of a frame.
    """
    plan = TokenPlan.merge(group, tokens_per_frame=tokens_per_frame)
    if square is None:
        return plan
    own, sizes = square[plan.src].unique(return_inverse=True, return_counts=True)[1:]
    row = torch.empty_like(sizes).scatter(0, own, plan.dst)
    share = (torch.bincount(row)[plan.dst] * sizes[own]).float().reciprocal()
    return TokenPlan.from_entries(
        dst=plan.dst,
        src=plan.src,
        weight=share,
        num_in=plan.num_in,
        num_out=plan.num_out,
        tokens_per_frame=tokens_per_frame,
    )


def _count(group: Tensor, live: Tensor) -> int:
    """Returns how many groups have a live patch, each named by one of its patches."""
    seen = torch.zeros(len(group) + 1, dtype=torch.bool, device=group.device)
    return int(seen.index_fill_(0, group.where(live, len(group)), True)[:-1].sum())
