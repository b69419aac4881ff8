"""Keeps the patches that the vision encoder attends to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.strategies.base import ScoreStrategy, Signal
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class Attention(ScoreStrategy):
    """Drops the patches of lowest attention, over the whole video at once.

    The attention that a patch receives from the frame's summary token stands for its information
    content. It is blind to repetition: a still background that draws attention is kept in every
    frame. `protect-edges` around it holds on to small text, which such attention often misses.
    """

    summary: ClassVar[str] = "highest attention of the vision encoder"
    cost: ClassVar[str] = "O(T N log T N)"
    needs: ClassVar[frozenset[Signal]] = frozenset({"attention"})

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the attention that each patch receives, `(T, N)`."""
        assert tokens.signals.attention is not None
        return tokens.signals.attention
