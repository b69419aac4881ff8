"""Patch features of InternVL's vision transformer, with attention and keys of its last layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.encoders._loaded_tower import LAST
from framesift.encoders._tower import VisionTransformer
from framesift.types.options import Reachable


@dataclass(frozen=True, kw_only=True)
class InternVit(VisionTransformer):
    """Patch features of the last layer, as InternVL takes them, and what that layer attends to.

    `attention` goes from the summary token (CLS) to each patch, averaged over heads; `keys` are
    those of the same layer, averaged over heads. Four patches, side by side, make one token of
    InternVL; here each patch is a token of its own.
    """

    summary: ClassVar[str] = "features, attention and keys of InternVL's vision transformer"
    model_types: ClassVar[frozenset[str]] = frozenset({"internvl", "internvl_vision"})
    architecture: ClassVar[str] = "InternVLVision"
    feature_layer: ClassVar[int] = LAST
    summary_token: ClassVar[int | None] = 0
    attention_path: ClassVar[str] = "encoder.layer.{}.attention"
    colors: ClassVar[str] = "IMAGENET_DEFAULT"

    model: Reachable = "OpenGVLab/InternVL3-1B-hf"
    """Hub id, or local folder of an InternVLForConditionalGeneration or InternVLVisionModel."""
