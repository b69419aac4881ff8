"""Mixes what a strategy would keep with what the question is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._wrapper import Wrapper
from framesift.strategies.base import ScoreStrategy, Signal
from framesift.types.options import Share
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

WEIGHT_PARTS = 1_000_000
"""Parts in which the weight counts: whole numbers are mixed, so that equal mixtures stay equal."""


@dataclass(frozen=True, kw_only=True)
class Question(Wrapper):
    """Prefers tokens like the question, by a weight from 0 (not at all) to 1 (nothing else).

    A strategy that ranks tokens has its ranks averaged with those of the similarity. A rank is the
    number of tokens below, so that scores of any scale mix and equal scores stay equal. Any other
    strategy decides on the tokens most like the question: `M^weight * L^(1 - weight)` of `L` live
    tokens for a budget of `M`, which is all of them at 0 and none but the budget at 1.
    """

    summary: ClassVar[str] = "similarity to the question mixed into any strategy"
    needs: ClassVar[frozenset[Signal]] = frozenset({"question_similarity"})

    weight: Share = 0.5
    """How much the question counts."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of the strategy within, turned towards the question."""
        similarity, live = tokens.signals.question_similarity, tokens.live
        assert similarity is not None
        inner = self.inner
        if isinstance(inner, ScoreStrategy):
            own, near = _ranks(inner.score(tokens, budget), live), _ranks(similarity, live)
            share = round(self.weight * WEIGHT_PARTS)
            mixed = (WEIGHT_PARTS - share) * own + share * near
            return _ops.keep(tokens, _ops.highest(mixed.flatten(), live.flatten(), budget))
        total = tokens.live_count
        count = round(budget**self.weight * total ** (1 - self.weight))
        near = _ops.top(similarity.flatten(), live.flatten(), max(budget, count))
        return inner.decide(replace(tokens, mask=near.view_as(live)), budget, question)


def _ranks(values: Tensor, live: Tensor) -> Tensor:
    """Returns the number of live tokens of lower value, int64 `(T, N)`; no host waits."""
    if values.is_floating_point():
        wide = values if values.dtype == torch.float64 else values.float()
        values, highest = wide.nan_to_num(nan=-torch.inf), torch.inf
    else:
        highest = torch.iinfo(values.dtype).max
    ascending = values.masked_fill(~live, highest).flatten().sort().values
    return torch.searchsorted(ascending, values.contiguous())
