"""The sizes of a training run of the frame selector: as published, and small ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from framesift.nn.frame_scorer_config import Head
from framesift.training.staged_recipe import StagedRecipe, StageRecipe
from framesift.types.options import Count


@dataclass(frozen=True, kw_only=True)
class SelectorRecipe(StagedRecipe):
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
