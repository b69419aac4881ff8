"""Merges the most similar tokens in pairs, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, Literal

import torch
from torch import Tensor

from framesift.run import report_progress, stoppable
from framesift.strategies import _ops
from framesift.strategies._pairwise import rounded_, unit
from framesift.strategies.base import Strategy
from framesift.types.device import segment_sums
from framesift.types.options import Count
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

AT_ONCE = 2**26, 2**24
"""Similarities held at once on an accelerator and on the CPU, whose caches are small."""


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
        """Returns those of the first round, half of each run against the other half."""
        run = min(frames, self.frames) * patches
        return frames * patches * run / 4 * channels

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of `budget` means."""
        metric = tokens.signals.keys if self.metric == "keys" else tokens.features
        assert metric is not None
        points, place = metric.flatten(0, 1), _live_places(tokens)
        count = min(-(-tokens.frame_count // self.frames), budget)
        sizes, targets = _parts(len(place), count), _parts(budget, count)
        ends = list(accumulate(sizes))
        at_once = max(1, AT_ONCE[points.device.type == "cpu"] // -(-(max(sizes) ** 2) // 4))
        group = torch.full((tokens.count,), -1, dtype=torch.long, device=points.device)
        for at in stoppable(range(0, count, at_once)):
            some = slice(at, at + at_once)
            own = place[ends[at] - sizes[at] : ends[some][-1]]
            made = _matched(points, own, sizes[some], targets[some])
            group[own] = made + sum(targets[:at])
        return TokenPlan.merge(group, tokens_per_frame=tokens.tokens_per_frame)


def _live_places(tokens: VideoTokens) -> Tensor:
    """Returns the tokens that take part, int64 ascending."""
    if tokens.mask is None:
        return torch.arange(tokens.count, device=tokens.features.device)
    return tokens.live.flatten().nonzero().flatten()


def _parts(total: int, count: int) -> list[int]:
    """Returns `total` split into `count` parts that differ by at most 1, larger ones first."""
    return [total // count + (part < total % count) for part in range(count)]


def _matched(points: Tensor, place: Tensor, sizes: Sequence[int], targets: Sequence[int]) -> Tensor:
    """Returns the group of each token once every run has come to its target, `(V,)`.

    Args:
        points: what is compared, `(T * N, D)`.
        place: the tokens of the runs, one run after the other `(V,)`.
        sizes: tokens of each run; they sum up to `V`.
        targets: groups that are left of each run.
    """
    left, group = list(sizes), torch.arange(len(place), device=place.device)
    sums = points[place].float()
    while left != targets:
        report_progress("plan", len(place) - sum(left), len(place) - sum(targets), "token")
        fewer = [min(own - goal, own // 2) for own, goal in zip(left, targets, strict=True)]
        target = _pairs(sums, left, fewer)
        kept = target == torch.arange(len(target), device=target.device)
        number = (kept.cumsum(0) - 1)[target]
        group = number[group]
        left = [own - less for own, less in zip(left, fewer, strict=True)]
        sums = _sums(sums, number, sum(left))
    return group


def _pairs(sums: Tensor, left: Sequence[int], fewer: Sequence[int]) -> Tensor:
    """Returns the token that each one is merged into, itself where it is not, `(V,)`.

    Args:
        sums: of the tokens that each stands for, float32 `(V, D)`, one run after the other.
        left: tokens of each run.
        fewer: pairs that are merged in each run.
    """
    device, longest = sums.device, max(left)
    lengths = torch.tensor(left, device=device)[:, None]
    starts = lengths.cumsum(0) - lengths
    slots = torch.arange(longest, device=device)
    at = starts + torch.minimum(slots, lengths - 1)
    units = unit(sums)
    units = units[at] if min(left) < longest else units.view(len(left), longest, -1)
    alike = rounded_(units[:, ::2] @ units[:, 1::2].mT)
    if min(left) < longest:
        outside = slots >= lengths
        alike.masked_fill_(outside[:, None, 1::2], _ops.NEVER)
        alike.masked_fill_(outside[:, ::2, None], _ops.NEVER)
    best, partner = alike.max(2)
    order = best.argsort(dim=1, descending=True, stable=True)
    merges = slots[: best.shape[1]] < torch.tensor(fewer, device=device)[:, None]
    first = starts + 2 * order
    second = starts + 2 * partner.gather(1, order) + 1
    target = torch.arange(len(sums) + 1, device=device)
    # What does not merge writes to one place more than there are, which is then cut off.
    return target.scatter_(0, first.where(merges, len(sums)).flatten(), second.flatten())[:-1]


def _sums(sums: Tensor, group: Tensor, count: int) -> Tensor:
    """Returns the sum of each group, float32 `(count, D)`, added up in a fixed order."""
    order = torch.argsort(group, stable=True)
    lengths = torch.bincount(group, minlength=count)
    return segment_sums(sums[order], lengths)
