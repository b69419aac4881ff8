"""Patch features of a SigLIP vision transformer, with the attention and keys of one layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from framesift.encoders._tower import VisionTransformer
from framesift.types.options import Reachable


@dataclass(frozen=True, kw_only=True)
class Siglip(VisionTransformer):
    """Penultimate patch features, as LLaVA-OneVision takes them, and what that layer attends to.

    SigLIP has no summary token, so `attention` is what each patch receives from all patches on
    average, over heads too; `keys` are those of the same layer, averaged over heads.
    """

    summary: ClassVar[str] = "features, received attention and keys of a SigLIP vision transformer"
    model_types: ClassVar[frozenset[str]] = frozenset({"siglip", "siglip_vision_model"})
    architecture: ClassVar[str] = "SiglipVision"
    feature_layer: ClassVar[int] = -2
    summary_token: ClassVar[int | None] = None
    # The head that pools the patches would read features that are not used here.
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({"vision_use_head": False})
    colors: ClassVar[str] = "IMAGENET_STANDARD"

    model: Reachable = "google/siglip-so400m-patch14-384"
    """Hub id, or local folder of a SiglipModel or SiglipVisionModel with safetensors weights."""
