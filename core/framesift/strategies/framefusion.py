"""Folds each token into the one before it at its place, the most alike first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import report_progress
from framesift.strategies import _ops
from framesift.strategies.base import Strategy
from framesift.types.options import Similarity
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

LEAST_MERGED = 0.1
"""Share of the tokens below which another round of merging is not worth it."""


@dataclass(frozen=True, kw_only=True)
class FrameFusion(Strategy):
    """Merges runs of like tokens at one place over time, until the budget is met.

    Each token is compared with the one before it at its place. Where enough tokens reach the
    threshold, the most alike are merged and the budget is met; where not, all that reach it are
    merged and what is left is compared again. A run of merged tokens is folded into the token
    before it, as the plain mean of that round's tokens. When a round merges less than a tenth, the
    last one merges without a threshold.

    Differences from the published method:

    - All rounds see the tokens before the LLM. The original merges once per layer, on states that
      the layers have changed, and then prunes by the attention of the last query, which is not
      known here. Where one token for each place is still too many, those least like the mean of
      all that are left survive.
    - The number of tokens is the budget; the original solves for a cost of 28 layers, whatever the
      model has, and fails where it cannot be reached.
    """

    summary: ClassVar[str] = "runs of like tokens at one place merged over time"
    paper: ClassVar[str] = "https://arxiv.org/abs/2501.01986"
    cost: ClassVar[str] = "O(T N D)"

    threshold: Similarity = 0.6
    """Cosine similarity from which a round merges tokens; published with 0.5 to 0.6."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan whose rows are the runs that were merged."""
        places, frames = tokens.live.T.nonzero().T
        means = tokens.features.transpose(0, 1)[places, frames].float()
        source = head = frames * tokens.tokens_per_frame + places
        row = torch.arange(len(source), device=source.device)
        weight = torch.ones(len(source), dtype=torch.float64, device=source.device)
        met = len(means) == budget
        while not met:
            merged = tokens.live_count - len(means)
            report_progress("plan", merged, tokens.live_count - budget, "token")
            similarity = _to_previous(means, places)
            mergeable = similarity >= self.threshold
            count, excess = int(mergeable.sum()), len(means) - budget
            met = count >= excess or count < LEAST_MERGED * len(means)
            if met:
                firsts = int((similarity == _ops.NEVER).sum())
                mergeable = ~_most(-similarity, max(budget, firsts), head)
            means, run, size = _fold(means, ~mergeable)
            places, head = places[~mergeable], head[~mergeable]
            row = run[row]
            weight = weight / size[row]
        typical = _ops.similarity(means, means.mean(0, keepdim=True))
        return _plan(tokens, source, row, weight, _most(-typical, budget, head))


def _most(values: Tensor, count: int, source: Tensor) -> Tensor:
    """Returns the mask of the highest `values`, those of earlier tokens on ties."""
    by_time = source.argsort()
    mask = _ops.top(values[by_time], torch.ones_like(by_time, dtype=torch.bool), count)
    return torch.empty_like(mask).index_copy_(0, by_time, mask)


def _to_previous(means: Tensor, places: Tensor) -> Tensor:
    """Returns the cosine of each token to the one before it at its place, `(V,)`."""
    similarity = _ops.similarity(means[1:], means[:-1])
    similarity = similarity.masked_fill(places[1:] != places[:-1], _ops.NEVER)
    return torch.cat([similarity.new_full((1,), _ops.NEVER), similarity])


def _fold(means: Tensor, heads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the means of the runs that start at `heads`, the run of each token, and sizes."""
    run = heads.long().cumsum(0) - 1
    size = torch.bincount(run)
    return torch.segment_reduce(means, "mean", lengths=size, axis=0), run, size


def _plan(
    tokens: VideoTokens, source: Tensor, row: Tensor, weight: Tensor, chosen: Tensor
) -> TokenPlan:
    """Returns the plan of the chosen rows."""
    number = torch.where(chosen, chosen.long().cumsum(0) - 1, -1)[row]
    used = number >= 0
    return TokenPlan.from_entries(
        dst=number[used],
        src=source[used],
        weight=weight[used],
        num_in=tokens.count,
        num_out=int(chosen.sum()),
        tokens_per_frame=tokens.tokens_per_frame,
    )
