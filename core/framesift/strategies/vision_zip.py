"""Keeps what a frame's summary token attends to and merges the rest into a few tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._blocks import blocks, rows_at
from framesift.strategies._keyed import KeyedStrategy
from framesift.strategies._rows import PlanRows, blended
from framesift.strategies.shares import shares
from framesift.types.options import Share
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class VisionZip(KeyedStrategy):
    """Keeps dominant tokens of each frame and adds up the others around contextual ones.

    Dominant tokens have the highest attention. Of what remains, evenly spaced tokens are
    contextual: each other one goes to the contextual token of most similar key, which becomes
    itself *plus* the mean of what came to it, so it is about twice as long as other tokens. The
    budget is split over the frames in proportion to their live tokens.

    Differences from the published code (https://github.com/JIA-Lab-research/VisionZip):

    - It counts the class token as dominant and emits it. Here there is none: the budget holds
      patches only.
    - It emits contextual tokens last, out of place. Here all outputs are in time order, a
      contextual one by the mean time of what it holds, then by its earliest token.
    - It takes CLIP only and leaves lists of images as they are. Here any encoder will do that
      gives attention and keys.
    """

    summary: ClassVar[str] = "attended patches, the others added up around evenly spaced ones"
    paper: ClassVar[str] = "https://arxiv.org/abs/2412.04467"
    cost: ClassVar[str] = "O(N M D)"

    contextual: Share = 30 / 221
    """Share of the budget that is contextual: published as 30 of 221 and 10 of 64."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of dominant and contextual tokens of every frame."""
        live, device = tokens.live, tokens.features.device
        counts = shares(live.sum(1).tolist(), budget)
        merged = [int(self.contextual * count + 0.5) for count in counts]
        count, contextual = torch.tensor([counts, merged], device=device)[..., None]
        dominant = _ops.ranks_in_frames(-self.measure(tokens), live) < count - contextual
        rows = PlanRows(tokens)
        rows.keep(dominant.flatten().nonzero().flatten())
        if any(merged):
            self._add_up(rows, live & ~dominant & (contextual > 0), merged)
        return rows.plan()

    def _add_up(self, rows: PlanRows, rest: Tensor, counts: Sequence[int]) -> None:
        """Adds the contextual tokens of each frame with what comes to them.

        Args:
            rows: where the rows go.
            rest: tokens that are not dominant, bool `(T, N)`; none where a frame has no row.
            counts: contextual tokens of each frame.
        """
        count = torch.tensor(counts, device=rest.device)[:, None]
        place, step = rest.cumsum(1) - 1, rest.sum(1, keepdim=True) // count.clamp_min(1)
        step = step.clamp_min(1)
        column = place // step
        is_target = rest & (place % step == 0) & (column < count)
        column = torch.where(is_target, column, self._nearest(rows.tokens, is_target, counts))
        source = rest.flatten().nonzero().flatten()
        first = count.cumsum(0) - count
        row, is_target = (each.flatten()[source] for each in (column + first, is_target))
        weight = blended(row, is_target, sum(counts), share=0.0)
        rows.add(row, source, weight.masked_fill(is_target, 1.0), count=sum(counts))

    def _nearest(self, tokens: VideoTokens, is_target: Tensor, counts: Sequence[int]) -> Tensor:
        """Returns which contextual token of its frame each token is most alike, `(T, N)`.

        Args:
            tokens: of the video.
            is_target: the contextual tokens, bool `(T, N)`.
            counts: how many there are in each frame.
        """
        metric, most = self.metric_of(tokens), max(counts)
        targets = (~is_target).byte().argsort(dim=1, stable=True)[:, :most]
        present = is_target.gather(1, targets)[:, None]
        frames = torch.arange(len(metric), device=metric.device)[:, None]
        places = frames * metric.shape[1] + targets
        nearest = []
        memory = 4 * metric.shape[1] * max(metric.shape[2], most)
        for own in blocks(len(metric), memory, device=metric.device):
            chosen = rows_at(metric.flatten(0, 1), places[own])
            alike = _ops.cosine_matrix(metric[own].float(), chosen.float())
            nearest.append(alike.masked_fill(~present[own], _ops.NEVER).argmax(2))
        return torch.cat(nearest)
