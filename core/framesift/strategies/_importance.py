"""What strategies share that need to know how important a token is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from framesift.errors import InvalidTokensError
from framesift.strategies import _ops
from framesift.strategies._blocks import float_blocks
from framesift.strategies.base import Signal, Strategy
from framesift.types.tokens import VideoTokens

Importance = Literal["attention", "feature-norm"]


@dataclass(frozen=True, kw_only=True)
class ImportanceStrategy(Strategy):
    """A strategy that ranks tokens by `measure`: attention, or what the user names instead."""

    needs: ClassVar[frozenset[Signal]] = frozenset({"attention"})

    importance: Importance = "attention"
    """`attention` of the vision encoder, as published, or `feature-norm`: a token's length, as its
    share of the lengths of its frame. The latter needs no signal, and is another method."""

    @property
    def required_signals(self) -> frozenset[str]:
        """Signals that this instance needs, options included."""
        spared = {"attention"} if self.importance == "feature-norm" else set()
        return frozenset(self.needs - spared)

    def measure(self, tokens: VideoTokens) -> Tensor:
        """Returns the importance of each token, float32 `(T, N)`, finite and at least 0.

        Raises:
            InvalidTokensError: attention of a live token is negative, infinite or NaN.
        """
        if self.importance == "feature-norm":
            return _length_shares(tokens)
        assert tokens.signals.attention is not None
        attention = tokens.signals.attention.float()
        bad = tokens.live & ~((attention >= 0) & attention.isfinite())
        if bool(bad.any()):
            frame, patch = bad.nonzero()[0].tolist()
            raise InvalidTokensError(
                f"attention must be finite and at least 0, got {float(attention[frame, patch])} "
                f"in frame {frame}, patch {patch}; give it after the softmax"
            )
        return attention


def _length_shares(tokens: VideoTokens) -> Tensor:
    """Returns each token's share of the lengths of its frame, rounded to 1e-8, `(T, N)`."""
    lengths = torch.cat(
        [torch.linalg.vector_norm(wide, dim=2) for _, wide in float_blocks(tokens.features)]
    ).masked_fill(~tokens.live, 0)
    return _ops.rounded(lengths / lengths.sum(1, keepdim=True).clamp_min(1e-30), 1e8)
