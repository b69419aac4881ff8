"""Tiny vision towers with random weights, in the place of large checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch

from framesift.registry import require

TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 16,
}
FAMILIES = {"clip": "CLIPVision", "siglip": "SiglipVision", "intern-vit": "InternVLVision"}


def tiny_tower(folder: Path, family: Literal["clip", "siglip", "intern-vit"] = "clip") -> Path:
    """Returns `folder`, where a vision transformer of 4 x 4 patches and its settings are written.

    Args:
        folder: an existing folder, such as `tmp_path`.
        family: which architecture it has; transformers reads it from there.
    """
    transformers = require("transformers", extra="hf")
    torch.manual_seed(0)
    config = getattr(transformers, f"{FAMILIES[family]}Config")(**TOWER)
    getattr(transformers, f"{FAMILIES[family]}Model")(config).save_pretrained(folder)
    transformers.CLIPImageProcessorPil().save_pretrained(folder)
    return folder
