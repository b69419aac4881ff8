"""The ways to drop tokens that are compared, and why others are left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from framesift.compression.text_places import TEXT
from framesift.evaluation.provenance import without_folders
from framesift.strategies import registry
from framesift.strategies.base import Strategy, create_strategy

RANDOM, SEEDS = "random", 5
PROTECTING: Final = ("protect-edges", "protect-text")
OPTIONS: Final = ("share=0.8", "strategy=uniform", "strategy=attention")
"""Options of these that are measured besides their defaults."""
CHAIN: Final = "chain"
"""It has no method of its own."""


@dataclass(frozen=True, kw_only=True)
class ReadingWay:
    """A strategy, or several runs of one that count together."""

    name: str
    specs: tuple[str, ...]

    def parts(self) -> list[Strategy]:
        """Returns the strategies of all runs."""
        return [create_strategy(spec) for spec in self.specs]


def reading_ways(
    gives: Collection[str], strategies: Sequence[str] | None = None
) -> tuple[list[ReadingWay], dict[str, str]]:
    """Returns the ways to measure, and why strategies are left out.

    Args:
        gives: signals that the tokens carry besides `text`.
        strategies: spec strings; None for all that these signals serve, `random` with five seeds.

    Raises:
        SpecError: a name or an option does not exist.
    """
    names = list(strategies or _all())
    ways, left_out = [], {}
    for name in names:
        part = create_strategy(name)
        missing = sorted(part.required_signals - {TEXT, *gives})
        if missing:
            left_out[name] = f"it needs {', '.join(missing)}, which the encoder does not give"
        elif part.is_per_question:
            left_out[name] = "it keeps other tokens for each question"
        elif part.trained_for is not None:
            left_out[name] = "its network computes what its tokens hold, so no picture shows it"
        else:
            seeds = tuple(f"{RANDOM}:seed={seed}" for seed in range(SEEDS))
            specs = seeds if name == RANDOM else (name,)
            ways.append(ReadingWay(name=without_folders(name), specs=specs))
    return ways, left_out


def _all() -> list[str]:
    single = [name for name in registry.names() if name != CHAIN]
    return [*single, *(f"{outer}:{option}" for outer in PROTECTING for option in OPTIONS)]
