"""Leaves no frame without a token, whatever the strategy within would keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._wrapper import Wrapper
from framesift.strategies.base import ScoreStrategy
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class PerFrameFloor(Wrapper):
    """Gives each frame that another strategy empties one token, within the same budget.

    The token of such a frame is the one that ranks highest in it; where the strategy does not rank
    tokens, the one most like the mean of the frame. It is kept unmerged, and the strategy decides
    again on one token less, until every frame has one. Where the budget is below the number of
    frames, evenly spaced frames get one token each.
    """

    summary: ClassVar[str] = "at least one token of every frame, the rest by any strategy"

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of the strategy within that leaves no live frame empty."""
        live, inner = tokens.live, self.inner
        ranks = (
            inner.score(tokens, budget) if isinstance(inner, ScoreStrategy) else _typical(tokens)
        )
        order = _ops.ranking(ranks.flatten(), live.flatten())
        best = _best(order, live)
        filled = live.any(1)
        if budget < (len(live) if tokens.mask is None else int(filled.sum())):
            kept = best & _ops.evenly_spaced(filled, budget)[:, None]
            return _ops.keep_mask(tokens, kept, budget)
        if isinstance(inner, ScoreStrategy):
            # Deciding again and again comes to this: the best of all frames, then the highest.
            first = torch.argsort((~best.flatten()[order]).byte(), stable=True)
            return _ops.keep(tokens, order[first[:budget]])
        kept = torch.zeros_like(live)
        for _ in stoppable(range(len(live) + 1)):
            plan = inner.decide_beside(kept, tokens, budget, question)
            empty = filled & (plan.frame_counts() == 0)
            if not bool(empty.any()):
                break
            kept = kept | (best & empty[:, None])
        return plan


def _best(order: Tensor, live: Tensor) -> Tensor:
    """Returns the live token of each frame that comes first in `order`, bool `(T, N)`."""
    numbers = torch.arange(len(order), device=order.device)
    place = torch.empty_like(order).index_copy_(0, order, numbers).view_as(live)
    return live & (place == place.amin(1, keepdim=True))


def _typical(tokens: VideoTokens) -> Tensor:
    """Returns how like the mean of the live tokens of its frame each token is, `(T, N)`."""
    rows = []
    parts = zip(tokens.features.split(_ops.FRAMES), tokens.live.split(_ops.FRAMES), strict=True)
    for features, live in stoppable(parts):
        wide, weight = features.float(), live.float()
        mean = (weight[:, None] @ wide) / weight.sum(1).clamp_min(1)[:, None, None]
        rows.append(_ops.similarity(wide, mean))
    return torch.cat(rows)
