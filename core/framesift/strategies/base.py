"""The strategy contract: visual tokens and a budget in, a plan of what survives out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from framesift.errors import BudgetError, InvalidOptionError, MissingSignalError
from framesift.registry import describe
from framesift.strategies import _ops, registry
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

Signal = Literal["attention", "keys", "edge_density", "question_similarity", "pre_projector"]


@dataclass(frozen=True, kw_only=True)
class Strategy(ABC):
    """A way to decide which tokens survive; the instance is the configuration.

    A subclass declares facts about itself and writes `decide`. It must keep exactly `budget` of the
    live tokens, choose the earlier token on ties, and use neither global random state nor noise.
    """

    summary: ClassVar[str]
    """One line for tables and listings."""
    paper: ClassVar[str | None] = None
    """URL of the paper or public page that describes the method."""
    needs: ClassVar[frozenset[Signal]] = frozenset()
    """Signals that the encoder must give."""
    training_free: ClassVar[bool] = True
    reads_question: ClassVar[bool] = False
    """Whether another question may keep other tokens."""

    @property
    def spec(self) -> str:
        """The spec string that `create_strategy` reads back."""
        return describe(self)

    @property
    def required_signals(self) -> frozenset[str]:
        """Signals that this instance needs, options included."""
        return frozenset(self.needs)

    @property
    def is_per_question(self) -> bool:
        """Whether this instance reads the question, options included."""
        return self.reads_question

    def plan(self, tokens: VideoTokens, budget: int, question: str | None = None) -> TokenPlan:
        """Returns the plan that keeps exactly `budget` tokens, or all where there are fewer.

        Raises:
            BudgetError: `budget` is below 1.
            MissingSignalError: `tokens` lack a signal that this strategy needs.
        """
        if budget < 1:
            raise BudgetError(f"budget={budget!r} must be at least 1 token")
        present = tokens.signals.present()
        if missing := sorted(self.required_signals - present.keys()):
            raise MissingSignalError(
                f"strategy {self.spec!r} needs {', '.join(missing)}; these tokens carry "
                f"{', '.join(present) or 'no signals'}; use an encoder that gives it"
            )
        with torch.no_grad():
            return self.decide(tokens, min(budget, int(tokens.live.sum())), question)

    @abstractmethod
    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan for a valid `budget`, at most the number of live tokens."""


@dataclass(frozen=True, kw_only=True)
class ScoreStrategy(Strategy):
    """A strategy that ranks tokens: write `score`, and the highest scores survive."""

    protect_edges: float = 0.0
    """Share of the budget in [0, 1] reserved for the patches with the most edges (text, UI)."""

    def __post_init__(self) -> None:
        if not 0 <= self.protect_edges <= 1:
            raise InvalidOptionError(
                f"protect_edges={self.protect_edges!r} must be within [0, 1]: the share of the "
                "budget reserved for patches with many edges"
            )

    @property
    def required_signals(self) -> frozenset[str]:
        """Signals that this instance needs, options included."""
        edges = {"edge_density"} if self.protect_edges else set()
        return frozenset(self.needs | edges)

    @abstractmethod
    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the rank value of each token, floating point `(T, N)`; higher survives."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan that keeps the `budget` live tokens of highest score."""
        live = tokens.live.flatten()
        kept = self._protected(tokens, live, budget)
        rest = _ops.top(
            self.score(tokens, budget).flatten(), live & ~kept, budget - int(kept.sum())
        )
        return _ops.keep_mask(tokens, kept | rest)

    def _protected(self, tokens: VideoTokens, live: Tensor, budget: int) -> Tensor:
        edges = tokens.signals.edge_density
        if edges is None or not self.protect_edges:
            return torch.zeros_like(live)
        return _ops.top(edges.flatten(), live, round(self.protect_edges * budget))


def create_strategy(spec: str | Strategy, **options: Any) -> Strategy:
    """Returns the strategy that a spec string describes; `"first | second"` makes a chain.

    Raises:
        UnknownNameError: no such strategy.
        InvalidOptionError: no such option, or a value out of range.
    """
    if isinstance(spec, str) and "|" in spec and not spec.startswith("chain:"):
        return registry.create("chain", stages=spec, **options)
    return registry.create(spec, **options)
