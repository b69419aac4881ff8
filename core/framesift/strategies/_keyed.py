"""What strategies share that also compare tokens by the keys of the encoder's attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from framesift.strategies._importance import ImportanceStrategy
from framesift.strategies.base import Signal
from framesift.types.tokens import VideoTokens

Metric = Literal["keys", "features"]


@dataclass(frozen=True, kw_only=True)
class KeyedStrategy(ImportanceStrategy):
    """A strategy that compares tokens by `metric_of`: keys, or what the user names instead."""

    needs: ClassVar[frozenset[Signal]] = frozenset({"attention", "keys"})

    metric: Metric = "keys"
    """What tokens are compared by: `keys` of the encoder's attention, as published, or their
    `features`, which need no signal."""

    @property
    def required_signals(self) -> frozenset[str]:
        """Signals that this instance needs, options included."""
        return super().required_signals - ({"keys"} if self.metric == "features" else set())

    def metric_of(self, tokens: VideoTokens) -> Tensor:
        """Returns what tokens are compared by, `(T, N, Dk)` or `(T, N, D)`."""
        if self.metric == "features":
            return tokens.features
        assert tokens.signals.keys is not None
        return tokens.signals.keys
