"""Patch features of a CLIP vision transformer, with its attention and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.encoders._tower import VisionTransformer


@dataclass(frozen=True, kw_only=True)
class Clip(VisionTransformer):
    """Penultimate patch features, as LLaVA takes them, and what that layer attends to.

    `attention` goes from the summary token (CLS) to each patch, averaged over heads, as VisionZip
    reads it, or with `attention_layer=-1` that of the last layer; `keys` are those of the features'
    layer, averaged over heads.
    """

    summary: ClassVar[str] = "features, attention and keys of a CLIP vision transformer"
    model_types: ClassVar[frozenset[str]] = frozenset({"clip", "clip_vision_model"})
    architecture: ClassVar[str] = "CLIPVision"
    feature_layer: ClassVar[int] = -2
    summary_token: ClassVar[int | None] = 0
    colors: ClassVar[str] = "OPENAI_CLIP"

    model: str = "openai/clip-vit-large-patch14-336"
    """Hub id, or local folder of a CLIPModel or CLIPVisionModel with safetensors weights."""
