"""The sizes of a run that heals a model which lost a layer."""

from __future__ import annotations

from dataclasses import dataclass

from framesift.types.options import Amount, Count, NotNegative, Options


@dataclass(frozen=True, kw_only=True)
class HealingRecipe(Options):
    """How a model that lost a layer learns to answer again; its tower stays as it is."""

    layer: Amount = 2
    """Which layer of the language model is taken out, from 0."""
    clips: Count = 1200
    steps: Count = 500
    learning_rate: NotNegative = 1e-3
    batch: Count = 8
    seed: Amount = 0
    processes: Count = 1
    """Processes that draw clips."""
