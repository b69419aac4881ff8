"""Merges the most similar tokens in pairs, round by round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from framesift.run import report_progress, stoppable
from framesift.strategies._pairwise import cosines
from framesift.strategies.base import Strategy
from framesift.types.options import Count
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

AT_ONCE = 2**21
"""Similarities held at once, 16 MiB of them."""


@dataclass(frozen=True, kw_only=True)
class ToMe(Strategy):
    """Halves the tokens by bipartite matching until the budget is met.

    In a round, tokens alternate between two sets, each of the first set proposes the pair with
    the most similar token of the second, and the most similar pairs merge, at most half of the
    tokens. A merged token is the mean of all tokens that it stands for, so that sizes count. Runs
    of `frames` neighbouring frames are merged among themselves, and share the budget evenly.

    Differences from the published method:

    - It works on the tokens before the LLM and down to the budget; the original merges a fixed
      number in every layer of the vision transformer, whose later layers then see merged tokens.
    - Tokens are compared by their features. The original compares attention keys of the layer that
      merges; `metric=keys` takes those of the encoder, averaged as the tokens are.
    - A merged token takes the place of its partner in the second set, so that neighbours stay
      neighbours in the next round. The original puts all of the second set behind the first.
    """

    summary: ClassVar[str] = "most similar tokens merged in pairs, round by round"
    paper: ClassVar[str] = "https://arxiv.org/abs/2210.09461"
    cost: ClassVar[str] = "O(T R N^2 D) for runs of R frames"

    frames: Count = 16
    """Frames of a run; time and memory grow with it, and so does what can merge."""
    metric: Literal["features", "keys"] = "features"
    """What tokens are compared by: `features`, or the encoder's `keys`."""

    @property
    def required_signals(self) -> frozenset[str]:
        """Signals that this instance needs, options included."""
        return frozenset({"keys"} if self.metric == "keys" else ())

    def least_multiplications(self, frames: int, patches: int, channels: int, budget: int) -> float:
        """Returns those of the first round, half of each run against the other, at double width."""
        run = min(frames, self.frames) * patches
        return 2.0 * frames * patches * run / 4 * channels

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of `budget` means."""
        metric = tokens.signals.keys if self.metric == "keys" else tokens.features
        assert metric is not None
        points, live = metric.flatten(0, 1), tokens.live.flatten().nonzero().flatten()
        runs = min(-(-tokens.frame_count // self.frames), budget)
        group = torch.full((tokens.count,), -1, dtype=torch.long, device=points.device)
        made = 0
        for run, share in enumerate(stoppable(torch.arange(budget).tensor_split(runs))):
            places = live.tensor_split(runs)[run]
            group[places] = made + _matched(points[places], len(share))
            made += len(share)
        return TokenPlan.merge(group, tokens_per_frame=tokens.tokens_per_frame)


def _matched(points: Tensor, count: int) -> Tensor:
    """Returns the group of each of the `points` `(n, D)` once `count` groups are left, `(n,)`."""
    group = torch.arange(len(points), device=points.device)
    while (left := int(group.max()) + 1) > count:
        report_progress("plan", len(points) - left, len(points) - count, "token")
        means = _means(points, group, left)
        best, partner = _nearest(means[::2], means[1::2])
        merged = torch.argsort(best, descending=True, stable=True)
        merged = merged[: min(left - count, left // 2)]
        target = torch.arange(left, device=points.device)
        target[2 * merged] = 2 * partner[merged] + 1
        group = target[group].unique(return_inverse=True)[1]
    return group


def _means(points: Tensor, group: Tensor, count: int) -> Tensor:
    """Returns the mean of each group, float64 `(count, D)`, summed in a fixed order."""
    order = torch.argsort(group, stable=True)
    lengths = torch.bincount(group, minlength=count)
    return torch.segment_reduce(points.double()[order], "mean", lengths=lengths, axis=0)


def _nearest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the largest cosine of each row of `a` to one of `b`, and the first that has it."""
    blocks = a.split(max(1, AT_ONCE // len(b)))
    best = [cosines(block, b).max(1) for block in stoppable(blocks)]
    return torch.cat([each.values for each in best]), torch.cat([each.indices for each in best])
