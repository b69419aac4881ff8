"""Runs several strategies one after another, each on what the one before it left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError
from framesift.run import stoppable
from framesift.strategies import registry
from framesift.strategies.base import Strategy
from framesift.types.options import StrategySpec
from framesift.types.plan import TokenPlan
from framesift.types.spec import split_spec
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class Chain(Strategy):
    """Applies strategies in sequence; written as `"temporal | attention"`.

    Each stage keeps the same fraction of what it gets, so that `n` stages together meet the
    budget exactly: a budget of 1/4 over two stages halves the tokens twice.
    """

    summary: ClassVar[str] = "strategies in sequence, written 'first | second'"
    cost: ClassVar[str] = "the sum of its stages"
    output: ClassVar[str] = "as its stages"

    stages: StrategySpec = "temporal | random"
    """Spec strings of the stages, separated by `|`."""

    def __post_init__(self) -> None:
        if any(isinstance(stage, Chain) for stage in self.within):
            raise InvalidOptionError(f"stages={self.stages!r} must not hold another chain")

    @cached_property
    def within(self) -> list[Strategy]:
        """The strategies of the stages, in order."""
        return [registry.create(spec) for spec in split_spec(self.stages, "|")]

    @property
    def spec(self) -> str:
        """The stages' spec strings, joined by `|`."""
        return " | ".join(part.spec for part in self.within)

    def least_multiplications(self, frames: int, patches: int, channels: int, budget: int) -> float:
        """Returns those of the first stage, which sees all tokens."""
        return self.within[0].least_multiplications(frames, patches, channels, budget)

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the composition of the stages' plans."""
        total, plan = int(tokens.live.sum()), None
        for number, part in enumerate(stoppable(self.within), start=1):
            share = (budget / total) ** (number / len(self.within))
            allowed = budget if number == len(self.within) else max(budget, round(total * share))
            stage = part.plan(
                tokens if plan is None else _remaining(tokens, plan), allowed, question
            )
            plan = stage if plan is None else plan.then(_on_outputs(stage, plan))
        assert plan is not None
        return plan


def _remaining(tokens: VideoTokens, plan: TokenPlan) -> VideoTokens:
    """Returns `tokens` with each output of `plan` in the place of its main source."""
    anchors = plan.sources
    if len(anchors.unique()) != len(anchors):
        raise InvalidOptionError(
            "only the last stage of a chain may split a token over several outputs; put it last"
        )
    places = anchors.to(tokens.features.device)
    features = tokens.features.flatten(0, 1).index_copy(0, places, plan.apply(tokens.features))
    mask = torch.zeros(tokens.count, dtype=torch.bool, device=places.device)
    return replace(
        tokens,
        features=features.view_as(tokens.features),
        mask=mask.index_fill_(0, places, True).view(tokens.features.shape[:2]),
    )


def _on_outputs(stage: TokenPlan, plan: TokenPlan) -> TokenPlan:
    """Returns `stage` with its inputs renumbered from places to the outputs of `plan`."""
    return TokenPlan.from_entries(
        dst=stage.dst,
        src=_inverse(plan.sources, plan.num_in)[stage.src],
        weight=stage.weight,
        num_in=plan.num_out,
        num_out=stage.num_out,
        tokens_per_frame=1,
    )


def _inverse(places: Tensor, total: int) -> Tensor:
    numbers = torch.full((total,), -1, dtype=torch.long, device=places.device)
    return numbers.index_copy_(0, places, torch.arange(len(places), device=places.device))
