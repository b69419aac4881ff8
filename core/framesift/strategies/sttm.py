"""Merges like patches into larger ones, then like ones of neighbouring frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError
from framesift.strategies import _ops
from framesift.strategies._quadtree import ONE, Quadtree
from framesift.strategies.base import Strategy
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class STTM(Strategy):
    """Cuts each frame into squares of like patches, and joins like squares over time.

    A square of the quadtree is split where a quarter is less like it than the spatial threshold.
    Squares of neighbouring frames are joined where one holds the other and they are at least as
    alike as the temporal threshold; an output is the mean of all patches of what was joined. Both
    thresholds fall together until the budget is met: the temporal one lies `time_slack` times as
    far below 1 as the spatial one. Where no pair of thresholds meets the budget, the merges between
    the two nearest are made one by one: quarters into squares, small squares first, then squares
    over time, the most alike first.

    Differences from the published method:

    - One budget in place of two thresholds.
    - A square at the border of a grid that is no power of two is the mean of the patches it has.
    - Patches weigh the same, so that a large square outweighs a small one that it is joined with;
      the original offers this as an option.
    - Tokens before the LLM are merged, not the states after its second layer.
    """

    summary: ClassVar[str] = "quadtree of like patches, joined over neighbouring frames"
    paper: ClassVar[str] = "https://arxiv.org/abs/2507.07990"
    cost: ClassVar[str] = "O(T N D log N)"
    merges: ClassVar[bool] = True

    time_slack: float = 2.5
    """How much less alike squares may be over time than within a frame: (1 - temporal) over
    (1 - spatial) threshold, in [0.01, 100]. Published pairs are 0.8 with 0.5 and 0.85 with 0.65."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.time_slack <= 100:
            raise InvalidOptionError(
                f"time_slack={self.time_slack!r} must be within [0.01, 100]: (1 - temporal "
                "threshold) / (1 - spatial threshold)"
            )

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan whose rows are the joined squares."""
        tree, live = Quadtree.of(tokens), tokens.live.flatten().cpu()
        low, high = min(-ONE, ONE - int(2 * ONE / self.time_slack) - 1), ONE + 1
        group = self.groups(tree, high)
        while (count := _count(group, live)) != budget and high - low > 1:
            middle = (low + high) // 2
            group = self.groups(tree, middle)
            count = _count(group, live)
            low, high = (middle, high) if count <= budget else (low, middle)
        if count != budget:
            group = self._between(tree, low, high, live, budget)
        return TokenPlan.merge(
            torch.where(live, group, -1), tokens_per_frame=tokens.tokens_per_frame
        )

    def groups(self, tree: Quadtree, spatial: int) -> Tensor:
        """Returns the group of each patch at a spatial threshold in millionths, `(T * N,)`."""
        square = tree.squares(spatial).flatten()
        return _ops.components(len(square), *self._joins(tree, spatial))[square]

    def _joins(self, tree: Quadtree, spatial: int) -> tuple[Tensor, Tensor]:
        """Returns the joins over time that go with a spatial threshold."""
        return tree.joins(spatial, ONE - self.time_slack * (ONE - spatial))

    def _between(self, tree: Quadtree, low: int, high: int, live: Tensor, budget: int) -> Tensor:
        """Returns exactly `budget` groups, between those of neighbouring thresholds.

        One join more makes at most one group less, so the number of joins is found by bisection.
        """
        joins = [self._joins(tree, high), tree.unsplit(low, high), self._joins(tree, low)]
        first, second = (torch.cat(column) for column in zip(*joins, strict=True))
        square = tree.squares(high).flatten()
        few, many = 0, len(first)
        while many - few > 1:
            middle = (few + many) // 2
            group = _ops.components(len(square), first[:middle], second[:middle])[square]
            few, many = (few, middle) if _count(group, live) <= budget else (middle, many)
        return _ops.components(len(square), first[:many], second[:many])[square]


def _count(group: Tensor, live: Tensor) -> int:
    return len(group[live].unique())
