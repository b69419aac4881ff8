"""Reserves a share of the budget for small text and user interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.strategies import _ops
from framesift.strategies._wrapper import Wrapper
from framesift.strategies.base import Signal
from framesift.types.options import Share
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class ProtectEdges(Wrapper):
    """Keeps the patches with most edges unmerged, and spends the rest as another strategy would.

    Written as `"protect-edges:share=0.5,strategy=attention"`. The reserved tokens are chosen over
    the whole video at once; a strategy that ranks tokens ranks the others as it would without the
    reserve, any other strategy sees only the others.
    """

    summary: ClassVar[str] = "a share of the budget for small text, the rest by any strategy"
    needs: ClassVar[frozenset[Signal]] = frozenset({"edge_density"})

    share: Share = 0.5
    """Share of the budget reserved for the patches with the most edges."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan that keeps `round(share * budget)` tokens for their edges."""
        edges, live = tokens.signals.edge_density, tokens.live
        assert edges is not None
        reserved = _ops.top(edges.flatten(), live.flatten(), round(self.share * budget))
        return self.inner.decide_beside(reserved.view_as(live), tokens, budget, question)
