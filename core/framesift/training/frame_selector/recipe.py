"""The sizes of a training run of the frame selector: as published, and small ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from framesift.errors import InvalidOptionError
from framesift.nn.frame_scorer_config import Head
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
    """One of the two stages; the learning rate rises at first and then falls along a cosine."""

    learning_rate: Rate
    epochs: NotNegative
    """How often each labeled question is seen, of each task."""
    warmup: Share = 0.03
    """Share of the steps at which the learning rate rises."""
    weight_decay: NotNegative = 0.0


@dataclass(frozen=True, kw_only=True)
class SelectorRecipe(Options):
    """How the frame selector is trained; the defaults are those that were published."""

    head: Head = "mlp"
    candidates: Count = 128
    """Frames that the network reads of a video, evenly thinned or repeated where a video has
    others for the head `"mlp"`; for `"query_key"` the most, of which a batch may have fewer."""
    pooled: Count = 3
    """Rows and columns of tokens for a frame: 3 for 9 tokens."""
    key_width: Count = 128
    question_first: bool = False
    """Whether the question stands in front of the frames as well as behind them."""
    target: Literal["labels", "spatial", "temporal"] = "labels"
    """Which of the labels are learned: both, or those of one kind."""
    stage_1: StageRecipe = field(
        default_factory=lambda: StageRecipe(learning_rate=1e-3, epochs=2.0)
    )
    """Projector, score query and head learn to answer and to score in turn; the LLM is frozen."""
    stage_2: StageRecipe = field(
        default_factory=lambda: StageRecipe(learning_rate=1e-5, epochs=5.0)
    )
    """Adapters of the LLM, score query and head learn to score."""
    answering: bool = True
    """Whether stage 1 learns to answer too, where labels come with answers."""
    projector_in_stage_2: bool = False
    """Whether the projector goes on learning in stage 2."""
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

    def changed(self, changes: Sequence[str]) -> SelectorRecipe:
        """Returns the recipe with other values, each written as `NAME=VALUE`.

        Args:
            changes: such as `"head=mlp"`, or `"stage_2.epochs=3"` for a value of a stage.

        Raises:
            InvalidOptionError: there is no such name, or it does not allow the value.
        """
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for change in changes:
            name, found, text = change.partition("=")
            stage, _, inner = name.rpartition(".")
            kind = StageRecipe if stage in STAGES else SelectorRecipe
            names = _names(kind)
            if not found or inner not in names or stage not in ("", *STAGES):
                of_stages = [f"{each}.{of}" for each in STAGES for of in _names(StageRecipe)]
                allowed = [*_names(SelectorRecipe), *of_stages]
                raise InvalidOptionError(
                    f"{shown(change)} changes nothing of a recipe; write NAME=VALUE with one of "
                    f"{', '.join(allowed)}"
                )
            value = checked_option(kind, inner, text, is_text=True)
            if stage:
                values[stage] = replace(values[stage], **{inner: value})
            else:
                values[name] = value
        return SelectorRecipe(**values)


STAGES: Final = ("stage_1", "stage_2")
TINY: Final = SelectorRecipe(
    head="query_key",
    candidates=64,
    question_first=True,
    stage_1=StageRecipe(learning_rate=2e-3, epochs=2.0, warmup=0.05),
    stage_2=StageRecipe(learning_rate=1e-3, epochs=6.0, warmup=0.05),
    projector_in_stage_2=True,
    lora_alpha=64,
    lora_dropout=0.0,
    batch=16,
    held_out=0.05,
    precision="bfloat16",
)
"""For a network of about two million parameters that begins with the embedded tiny model."""
PRESETS: Final = {"published": SelectorRecipe(), "tiny": TINY}


def _names(kind: type[SelectorRecipe | StageRecipe]) -> list[str]:
    """Returns the names of the values of a recipe, or of a stage of it."""
    return [each.name for each in fields(kind) if each.name not in STAGES]
