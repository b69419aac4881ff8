"""Reserves a share of the budget for patches in which text was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies import _ops, _over_time
from framesift.strategies._wrapper import Wrapper
from framesift.strategies.base import Signal
from framesift.types.options import Share
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class ProtectText(Wrapper):
    """Keeps the patches in which text was read unmerged, and spends the rest as another would.

    Written as `"protect-text:share=0.5,strategy=temporal"`, with a reader that says where its lines
    stand: `VideoCompressor(text="screen", ...)`. Text that stands for a while is paid for once, in
    the frame where it comes: patches rank by how much of them it covers, times how much they differ
    from the last ones of their place in which other text came. What is left of the reserve once all
    text is kept goes to the strategy within.
    """

    summary: ClassVar[str] = "a share of the budget for text that was read, the rest by any"
    needs: ClassVar[frozenset[Signal]] = frozenset({"text"})

    share: Share = 0.5
    """Share of the budget reserved for patches in which text was read."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan that keeps up to `round(share * budget)` tokens for their text."""
        text = tokens.signals.text
        assert text is not None
        written = tokens.live & (text > 0)
        worth = text.float() * _news(tokens.features, written)
        reserved = _ops.top(worth.flatten(), written.flatten(), round(self.share * budget))
        return self.inner.decide_beside(reserved.view_as(written), tokens, budget, question)


def _news(features: Tensor, written: Tensor) -> Tensor:
    """Returns how much each token differs from the last `written` of its place, `(T, N)`.

    In [0, 1]; it is 1 where none before of its place is written.
    """
    begins = written.cumsum(0) <= 1
    if len(features) == 1:
        return torch.ones_like(begins, dtype=torch.float32)
    near = _over_time.to_last(features, _over_time.lengths(features), written)
    return torch.where(begins, 1.0, (1 - _ops.rounded(near)).clamp(0, 1)).float()
