"""Keeps what stands out in attention, enriched by its neighbours, and one sum of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._keyed import KeyedStrategy
from framesift.strategies._pairwise import cosines
from framesift.strategies._rows import PlanRows
from framesift.strategies.shares import shares
from framesift.types.options import Amount, Share
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class PruMerge(KeyedStrategy):
    """Keeps outliers of attention, which take in their neighbours, and sums up the dropped tokens.

    An outlier's attention is more than 1.5 interquartile ranges above its frame's third quartile.
    The budget solves for another factor than 1.5, one for the whole video, so a frame in which
    attention is peaked keeps more. Each kept token adds its `neighbors` nearest others of the
    frame by key, times their attention; the tokens that a frame drops become one token, their sum
    times their attention. A budget below one token per frame has no room for the sums.

    Differences from the published code (https://github.com/42Shawn/LLaVA-PruMerge):

    - The number of tokens is the budget; there it follows from the factor 1.5.
    - A frame that is kept whole stays as it is, so that keeping everything changes nothing.
    - Dropped tokens without any attention count alike in their sum, which would be a zero vector.
    - Any layer and any number of patches; there layer 23 and 576 patches are fixed.
    - It compares keys of full width, all heads side by side, and takes attention as that of one
      head over all channels, both of the last layer. Encoders average both over heads, which is
      another likeness and another ranking. With `"clip:heads=joined,attention_layer=-1"` they are
      the published ones; the towers of vision LLMs do not offer this, since it is wide.
    """

    summary: ClassVar[str] = "outliers of attention with their neighbours, one sum of the rest"
    paper: ClassVar[str] = "https://arxiv.org/abs/2403.15388"
    cost: ClassVar[str] = "O(N M D)"

    neighbors: Amount = 32
    """Tokens of its frame that each kept token adds."""
    uniform: Share = 0.0
    """Share of the budget for evenly spaced tokens, which PruMerge+ keeps as well."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of kept tokens with their neighbours and one sum for each frame."""
        attention, metric = self.measure(tokens), self.metric_of(tokens)
        kept, has_sums = self._kept(tokens, attention, budget)
        rows = PlanRows(tokens)
        for frame, (chosen, live) in enumerate(stoppable(zip(kept, tokens.live, strict=True))):
            start = frame * tokens.tokens_per_frame
            own, dropped = chosen.nonzero().flatten(), (live & ~chosen).nonzero().flatten()
            if not len(dropped):
                rows.keep(start + own)
                continue
            if len(own):
                self._add_enriched(rows, start, own, live, metric[frame], attention[frame])
            if has_sums:
                weight = attention[frame, dropped]
                weight = torch.where(weight.sum() > 0, weight, 1 / len(dropped))
                rows.add(torch.zeros_like(dropped), start + dropped, weight, count=1)
        return rows.plan()

    def _kept(self, tokens: VideoTokens, attention: Tensor, budget: int) -> tuple[Tensor, bool]:
        """Returns which tokens are kept `(T, N)`, and whether frames sum up what they drop."""
        live = tokens.live
        rank = _outlyingness(attention, live).flatten().masked_fill(~live.flatten(), -torch.inf)
        rank[self._evenly(live, budget)] = torch.inf
        order = torch.argsort(rank, descending=True, stable=True)[: tokens.live_count]
        frames = order // tokens.tokens_per_frame
        sizes = live.sum(1)
        present = int((sizes > 0).sum())
        has_sums = budget >= present
        count = budget
        if has_sums:
            completes = _occurrence(frames) == sizes[frames]
            outputs = torch.arange(1, len(order) + 1, device=order.device)
            outputs = outputs + present - completes.cumsum(0)
            count = int(torch.searchsorted(outputs, budget, right=True))
        kept = torch.zeros(tokens.count, dtype=torch.bool, device=order.device)
        return kept.index_fill_(0, order[:count], True).view_as(live), has_sums

    def _evenly(self, live: Tensor, budget: int) -> Tensor:
        """Returns the tokens that PruMerge+ spreads over the live places of each frame."""
        sizes = live.sum(1).tolist()
        counts = shares(sizes, round(self.uniform * budget))
        places = live.flatten().nonzero().flatten().split(sizes)
        spread = [
            own[_ops.evenly(len(own), count).to(own.device)]
            for own, count in zip(places, counts, strict=True)
        ]
        return torch.cat(spread)

    def _add_enriched(
        self,
        rows: PlanRows,
        start: int,
        own: Tensor,
        live: Tensor,
        metric: Tensor,
        attention: Tensor,
    ) -> None:
        """Adds a row for each kept token: itself, and its nearest others times their attention."""
        alike = cosines(metric[own], metric).masked_fill(~live, _ops.NEVER)
        alike[torch.arange(len(own), device=own.device), own] = -3.0
        count = min(self.neighbors, int(live.sum()) - 1)
        nearest = torch.argsort(alike, dim=1, descending=True, stable=True)[:, :count]
        source = torch.cat([own[:, None], nearest], dim=1)
        weight = attention[source].index_fill(1, own.new_zeros(1), 1.0)
        row = torch.arange(len(own), device=own.device)[:, None]
        rows.add(row, start + source, weight, count=len(own))


def _outlyingness(attention: Tensor, live: Tensor) -> Tensor:
    """Returns how many interquartile ranges each token is above its frame's third quartile."""
    alive = attention.masked_fill(~live, torch.nan)
    quartiles = torch.nanquantile(alive, alive.new_tensor([0.25, 0.75]), dim=1, keepdim=True)
    return (attention - quartiles[1]) / (quartiles[1] - quartiles[0]).clamp_min(1e-30)


def _occurrence(values: Tensor) -> Tensor:
    """Returns which occurrence of its value each element is, counted from 1, `(n,)`."""
    order = torch.argsort(values, stable=True)
    counts = torch.bincount(values)
    starts = (counts.cumsum(0) - counts)[values[order]]
    place = torch.arange(1, len(values) + 1, device=values.device)
    return torch.empty_like(order).index_copy_(0, order, place - starts)
