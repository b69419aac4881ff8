"""The sizes of a training run of the TimePerceiver: as published, and small ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import Field

from framesift.training.staged_recipe import StagedRecipe, StageRecipe
from framesift.types.options import Count, Fraction, NotNegative


@dataclass(frozen=True, kw_only=True)
class PerceiverRecipe(StagedRecipe):
    """How the TimePerceiver is trained.

    The paper publishes two stages, four frames a segment and 8 to 96 frames of a video; rates and
    depth are those that its peers publish.
    """

    stage: Literal["pre", "post"] = "pre"
    """Whether tokens are condensed before the projector, which then learns too, or behind it."""
    segment: Annotated[int, Field(ge=2, le=256)] = 4
    """Frames of a segment; of a single one there is nothing to condense."""
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
    places: NotNegative = 1.0
    """How far apart the embeddings of frames are at first, in the spread of the tokens. Where they
    begin as zeros, the network finds the order of frames late; it is average pooling either way."""
    warm_start: StageRecipe = field(
        default_factory=lambda: StageRecipe(learning_rate=3e-3, epochs=0.0, optimizer="muon")
    )
    """The network learns to keep what tells the frames of a segment apart, without an LLM."""
    stage_1: StageRecipe = field(
        default_factory=lambda: StageRecipe(learning_rate=1e-3, epochs=1.0)
    )
    """TimePerceiver and projector learn by answers and captions; the rest is frozen."""
    stage_2: StageRecipe = field(
        default_factory=lambda: StageRecipe(learning_rate=1e-5, epochs=1.0)
    )
    """The LLM learns with them, and the trained model is kept beside the network."""
    llm: Literal["lora", "all"] = "lora"
    """What of the LLM learns in stage 2: adapters, which are merged into it, or all of it."""
    checkpoint_layers: bool = False
    """Whether layers of the LLM are computed again in the backward pass, which saves memory."""
    questions: Count = 8
    """Most questions of one video in a batch; they share its tokens."""
    fewest: Fraction = 1.0
    """Least share of a video's frames that a batch shows; below 1 every second one shows all."""
    fps: Annotated[float, Field(gt=0)] = 1.0
    """Frames a second of videos in files of questions."""
    max_frames: Count = 96
    """Most frames of such a video; a longer one is thinned evenly."""


TINY: Final = PerceiverRecipe(
    stage="post",
    key_stride=2,
    time_stride=2,
    include_key=False,
    places=0.0,
    stage_1=StageRecipe(
        learning_rate=1.5e-3, epochs=3.0, warmup=0.05, weight_decay=0.05, optimizer="muon"
    ),
    stage_2=StageRecipe(learning_rate=1e-3, epochs=0.0, warmup=0.05),
    lora_alpha=64,
    lora_dropout=0.0,
    batch=8,
    held_out=0.05,
    precision="bfloat16",
    fewest=0.3,
)
"""For the embedded tiny model and synthetic videos."""
PRESETS: Final = {"published": PerceiverRecipe(), "tiny": TINY}
