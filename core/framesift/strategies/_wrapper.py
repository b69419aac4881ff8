"""What strategies that hold another strategy share: how it is named, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from framesift.strategies.base import Strategy, create_strategy


@dataclass(frozen=True, kw_only=True)
class Wrapper(Strategy):
    """A strategy that changes what another one keeps.

    The strategy within is a spec string; in brackets where it is a chain or has several options:
    `"per-frame-floor:strategy=[temporal | random:seed=1]"`.
    """

    cost: ClassVar[str] = "that of the strategy within"
    output: ClassVar[str] = "as within"

    strategy: str = "temporal"
    """Spec string of the strategy within."""

    def __post_init__(self) -> None:
        _ = self.inner

    @cached_property
    def inner(self) -> Strategy:
        """The strategy within."""
        return create_strategy(self.strategy)

    def least_multiplications(self, frames: int, patches: int, channels: int, budget: int) -> float:
        """Returns those of the strategy within."""
        return self.inner.least_multiplications(frames, patches, channels, budget)

    @property
    def required_signals(self) -> frozenset[str]:
        """Signals that this strategy or the one within needs."""
        return self.needs | self.inner.required_signals

    @property
    def is_per_question(self) -> bool:
        """Whether this strategy or the one within reads the question."""
        return self.reads_question or self.inner.is_per_question

    @property
    def is_merging(self) -> bool:
        """Whether the strategy within merges."""
        return self.inner.is_merging
