"""The sizes of a training run of the tiny model."""

from __future__ import annotations

from dataclasses import dataclass

from framesift.errors import InvalidOptionError
from framesift.training.staged_recipe import Rate
from framesift.types.options import Amount, Count, NotNegative, Options


@dataclass(frozen=True, kw_only=True)
class Recipe(Options):
    """How much the tiny model is shown; `training.json` beside the weights says what they saw."""

    clips: Count = 5000
    """Synthetic clips, each with up to a dozen questions."""
    first_seed: Amount = 0
    """Seed of the first clip; the others follow it."""
    pages: Amount = 250
    """Clips of slides, whose text stands in the prompt beside them; 0 for no lessons in reading."""
    stills: Count = 16000
    """Crowded pictures for the vision tower."""
    tower_steps: Count = 2700
    language_steps: Count = 6000
    glimpses_first: Amount = 500
    """Steps of the language model at which it sees only the frames that questions are about."""
    tower_batch: Count = 64
    language_batch: Count = 8
    language_rate: Rate = 1e-3
    """Largest learning rate of the language model."""
    seconds: NotNegative = 0.0
    """How long the language model learns at most, however many steps that are; 0 is no bound."""
    seed: Amount = 0
    processes: Count = 2
    """Processes that draw clips and, where a GPU trains, make batches."""

    def __post_init__(self) -> None:
        if self.clips < 2 * self.language_batch:
            raise InvalidOptionError(
                f"clips={self.clips} are too few for language_batch={self.language_batch}; draw at "
                f"least {2 * self.language_batch}"
            )
