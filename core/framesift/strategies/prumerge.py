"""Keeps what stands out in attention, enriched by its neighbours, and one sum of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._blocks import batches, rows_at
from framesift.strategies._keyed import KeyedStrategy
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
        attention, live, rows = self.measure(tokens), tokens.live, PlanRows(tokens)
        kept, has_sums = self._kept(tokens, attention, budget)
        own, sizes = torch.stack([kept.sum(1), live.sum(1)]).tolist()
        dropped = live & ~kept
        drops = dropped.any(1, keepdim=True)
        rows.keep((kept & ~drops).flatten().nonzero().flatten())
        enriched = [count * (count < size) for count, size in zip(own, sizes, strict=True)]
        _, patches, channels = self.metric_of(tokens).shape
        memory = [4 * patches * max(count, channels) for count in enriched]
        for frames in batches(enriched, memory):
            index = torch.tensor(frames, device=live.device)
            self._add_enriched(rows, index, kept[index], [enriched[i] for i in frames], attention)
        if has_sums:
            frame, place = dropped.nonzero().unbind(1)
            weight = torch.where(
                (attention.where(dropped, 0) > 0).any(1, keepdim=True),
                attention,
                1 / dropped.sum(1, keepdim=True).clamp_min(1),
            )
            row = (drops.flatten().cumsum(0) - 1)[frame]
            count = sum(count < size for count, size in zip(own, sizes, strict=True))
            rows.add(row, frame * patches + place, weight[frame, place], count=count)
        return rows.plan()

    def _kept(self, tokens: VideoTokens, attention: Tensor, budget: int) -> tuple[Tensor, bool]:
        """Returns which tokens are kept `(T, N)`, and whether frames sum up what they drop."""
        live = tokens.live
        rank = _outlyingness(attention, live).flatten().masked_fill(~live.flatten(), -torch.inf)
        rank = rank.masked_fill(self._spread(live, budget).flatten(), torch.inf)
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

    def _spread(self, live: Tensor, budget: int) -> Tensor:
        """Returns the tokens that PruMerge+ spreads over the live places of each frame."""
        wanted = round(self.uniform * budget)
        if not wanted:
            return torch.zeros_like(live)
        counts = shares(live.sum(1).tolist(), wanted)
        return _ops.evenly_spaced(live, torch.tensor(counts, device=live.device)[:, None])

    def _add_enriched(
        self,
        rows: PlanRows,
        frames: Tensor,
        kept: Tensor,
        counts: Sequence[int],
        attention: Tensor,
    ) -> None:
        """Adds a row for each kept token: itself, and its nearest others times their attention.

        Args:
            rows: where the rows go.
            frames: of the kept tokens, `(F,)`.
            kept: tokens of these frames that are kept, bool `(F, N)`.
            counts: how many each frame keeps.
            attention: of all tokens `(T, N)`.
        """
        patches, metric = kept.shape[1], self.metric_of(rows.tokens)
        count = torch.tensor(counts, device=kept.device)[:, None]
        own = (~kept).byte().argsort(dim=1, stable=True)[:, : max(counts)]
        alike = _ops.cosine_matrix(
            rows_at(metric.flatten(0, 1), frames[:, None] * patches + own).float(),
            rows_at(metric, frames).float(),
        )
        alike = alike.masked_fill(~rows.tokens.live[frames][:, None], _ops.NEVER)
        alike = alike.scatter(2, own[..., None], _ops.NEVER)
        nearest = _highest(alike, min(self.neighbors, patches - 1))
        is_other = alike.gather(2, nearest) > _ops.NEVER
        present = (torch.arange(own.shape[1], device=own.device) < count)[..., None]
        number = (torch.arange(own.shape[1], device=own.device) + (count.cumsum(0) - count))[
            ..., None
        ]
        frame = frames[:, None, None]
        source = torch.cat([own[..., None], nearest], dim=2)
        weight = torch.cat([torch.ones_like(own[..., None]), attention[frame, nearest]], dim=2)
        entry = torch.cat([present, is_other & present], dim=2).flatten().nonzero().flatten()
        rows.add(
            number.expand_as(source).flatten()[entry],
            (frame * patches + source).flatten()[entry],
            weight.flatten()[entry],
            count=sum(counts),
        )


def _highest(values: Tensor, count: int) -> Tensor:
    """Returns the places of the `count` highest in the last dimension; the earlier on a tie.

    Args:
        values: similarities, rounded to 1e-6.
        count: at most the size of the dimension.
    """
    width = values.shape[-1]
    place = torch.arange(width, device=values.device)
    return (values.mul(1e6).round().long() * width - place).topk(count).indices


def _outlyingness(attention: Tensor, live: Tensor) -> Tensor:
    """Returns how many interquartile ranges each token is above its frame's third quartile."""
    alive = attention.masked_fill(~live, torch.nan)
    quartiles = torch.nanquantile(alive, alive.new_tensor([0.25, 0.75]), dim=1, keepdim=True)
    return _ops.rounded((attention - quartiles[1]) / (quartiles[1] - quartiles[0]).clamp_min(1e-30))


def _occurrence(values: Tensor) -> Tensor:
    """Returns which occurrence of its value each element is, counted from 1, `(n,)`."""
    order = torch.argsort(values, stable=True)
    counts = torch.bincount(values)
    starts = (counts.cumsum(0) - counts)[values[order]]
    place = torch.arange(1, len(values) + 1, device=values.device)
    return torch.empty_like(order).index_copy_(0, order, place - starts)
