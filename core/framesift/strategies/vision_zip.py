"""Keeps what a frame's summary token attends to and merges the rest into a few tokens."""

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
        attention, metric = self.measure(tokens), self.metric_of(tokens)
        rows = PlanRows(tokens)
        counts = shares(tokens.live.sum(1).tolist(), budget)
        for frame, count in enumerate(stoppable(counts)):
            if not count:
                continue
            contextual = int(self.contextual * count + 0.5)
            live = tokens.live[frame]
            dominant = _ops.top(attention[frame], live, count - contextual)
            start = frame * tokens.tokens_per_frame
            rows.keep(start + dominant.nonzero().flatten())
            if contextual:
                rest = (live & ~dominant).nonzero().flatten()
                row, weight = _contextual(metric[frame, rest], contextual)
                rows.add(row, start + rest, weight, count=contextual)
        return rows.plan()


def _contextual(metric: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the target of each remaining token and its weight there, both `(R,)`.

    Args:
        metric: what the remaining tokens are compared by, `(R, Dk)`, `R >= count`.
        count: number of targets.
    """
    targets = torch.arange(count, device=metric.device) * max(1, len(metric) // count)
    row = cosines(metric, metric[targets]).argmax(1)
    row[targets] = torch.arange(count, device=metric.device)
    others = torch.bincount(row, minlength=count).double() - 1
    weight = others.clamp_min(1).reciprocal()[row]
    weight[targets] = 1.0
    return row, weight
