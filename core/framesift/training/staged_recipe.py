"""What recipes of trainings in stages have in common: sizes, rates, and how values are changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from framesift.errors import InvalidOptionError
from framesift.types.options import (
    Amount,
    Count,
    NotNegative,
    Options,
    Share,
    checked_option,
    shown,
)

Rate = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class StageRecipe(Options):
    """One of the stages; the learning rate rises at first and then falls along a cosine."""

    learning_rate: Rate
    epochs: NotNegative
    """How often each sample is seen, of each task."""
    warmup: Share = 0.03
    """Share of the steps at which the learning rate rises."""
    weight_decay: NotNegative = 0.0
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`"muon"` moves matrices of layers by Muon and the rest by AdamW."""


@dataclass(frozen=True, kw_only=True)
class StagedRecipe(Options):
    """The values that every training in stages has; a subclass adds its stages to them."""

    lora_rank: Count = 64
    lora_alpha: Count = 16
    lora_dropout: Share = 0.05
    batch: Count = 128
    """Videos of one step."""
    accumulation: Count = 1
    """Parts of a batch that go through the network one after another."""
    held_out: Share = 0.02
    """Share of the videos that measure the network and train nothing."""
    measure_every: Count = 200
    """Steps between two measurements and checkpoints."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What layers compute in; `"auto"` is bfloat16 where the GPU has it, else float16 on a GPU and
    float32 on a CPU."""
    seed: Amount = 0

    def __post_init__(self) -> None:
        if self.batch % self.accumulation:
            raise InvalidOptionError(
                f"batch={self.batch} cannot be cut into accumulation={self.accumulation} equal "
                "parts; pass a divisor of it"
            )

    @property
    def stages(self) -> dict[str, StageRecipe]:
        """The stages by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, StageRecipe)}

    def changed(self, changes: Sequence[str]) -> Self:
        """Returns the recipe with other values, each written as `NAME=VALUE`.

        Args:
            changes: such as `"batch=16"`, or `"stage_2.epochs=3"` for a value of a stage.

        Raises:
            InvalidOptionError: there is no such name, or it does not allow the value.
        """
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        stages = self.stages
        own = [name for name in values if name not in stages]
        of_stages = [each.name for each in fields(StageRecipe)]
        for change in changes:
            name, found, text = change.partition("=")
            stage, _, inner = name.rpartition(".")
            names = of_stages if stage in stages else own
            if not found or inner not in names or stage not in ("", *stages):
                allowed = [*own, *(f"{each}.{of}" for each in stages for of in of_stages)]
                raise InvalidOptionError(
                    f"{shown(change)} changes nothing of a recipe; write NAME=VALUE with one of "
                    f"{', '.join(allowed)}"
                )
            kind = StageRecipe if stage in stages else type(self)
            value = checked_option(kind, inner, text, is_text=True)
            if stage:
                values[stage] = replace(values[stage], **{inner: value})
            else:
                values[name] = value
        return type(self)(**values)
