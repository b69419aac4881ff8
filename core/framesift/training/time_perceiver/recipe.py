"""The sizes of a training run of the TimePerceiver: as published, and small ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from framesift.training.staged_recipe import StagedRecipe, StageRecipe
from framesift.types.options import Count, Fraction


@dataclass(frozen=True, kw_only=True)
class PerceiverRecipe(StagedRecipe):
    """How the TimePerceiver is trained.

    The paper publishes two stages, four frames a segment and 8 to 96 frames of a video; rates and
    depth are those that its peers publish.
    """

    stage: Literal["pre", "post"] = "pre"
    """Whether tokens are condensed before the projector, which then learns too, or behind it."""
    segment: Count = 4
    """Frames of a segment."""
    key_stride: Count | None = None
    """Patches a side of a token of a key frame, as in the strategy `slow-fast`."""
    time_stride: Count | None = None
    """Patches a side of a temporal token, likewise."""
    include_key: bool = True
    """Whether the key frame counts in the temporal tokens, too."""
    remainder: Literal["key_only", "repeat", "merge"] = "key_only"
    """What becomes of a single frame behind the last segment."""
    depth: Count = 2
    head_dim: Count = 64
    ff_mult: Count = 4
    latents_in_kv: bool = True
    stage_1: StageRecipe = field(
        default_factory=lambda: StageRecipe(learning_rate=1e-3, epochs=1.0)
    )
    """TimePerceiver and projector learn by answers and captions; the rest is frozen."""
    questions: Count = 8
    """Most questions of one video in a batch; they share its tokens."""
    fewest: Fraction = 1.0
    """Least share of a video's frames that a batch shows; below 1 every second one shows all."""


TINY: Final = PerceiverRecipe(
    stage="post",
    key_stride=2,
    time_stride=2,
    include_key=False,
    stage_1=StageRecipe(
        learning_rate=1.5e-3, epochs=3.0, warmup=0.05, weight_decay=0.05, optimizer="muon"
    ),
    batch=8,
    held_out=0.05,
    precision="bfloat16",
    fewest=0.3,
)
"""For the embedded tiny model and synthetic videos."""
PRESETS: Final = {"published": PerceiverRecipe(), "tiny": TINY}
