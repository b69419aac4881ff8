"""What strategies that hold another strategy share: how it is named, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from framesift.strategies.base import Strategy, create_strategy
from framesift.types.options import StrategySpec


@dataclass(frozen=True, kw_only=True)
class Wrapper(Strategy):
    """A strategy that changes what another one keeps.

    The strategy within is a spec string; in brackets where it is a chain or has several options:
    `"per-frame-floor:strategy=[temporal | random:seed=1]"`.
    """

    cost: ClassVar[str] = "that of the strategy within"
    output: ClassVar[str] = "as within"

    strategy: StrategySpec = "temporal"
    """Spec string of the strategy within."""

    def __post_init__(self) -> None:
        _ = self.inner

    @cached_property
    def inner(self) -> Strategy:
        """The strategy within."""
        return create_strategy(self.strategy)

    @property
    def within(self) -> tuple[Strategy]:
        """The one strategy within."""
        return (self.inner,)

    def least_multiplications(self, frames: int, patches: int, channels: int, budget: int) -> float:
        """Returns those of the strategy within."""
        return self.inner.least_multiplications(frames, patches, channels, budget)
