"""A small frame scorer with random weights, for tests of what takes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch

from framesift.nn.frame_scorer import FrameScorer
from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.nn.frame_scorer_files import FrameScorerCard, FrozenTower, save_frame_scorer
from framesift.vlms.load import load_vlm

SMALL: Final[dict[str, Any]] = {
    "llm": {
        "vocab_size": 611,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "initializer_range": 0.5,
    },
    "tower_width": 192,
    "grid": (8, 8),
    "head": "query_key",
    "candidates": 8,
    "before": (2,),
    "after": (4, 3),
}
"""Fits the tower and the tokenizer of the embedded tiny model."""


def random_frame_scorer(
    folder: Path, *, trained_on: str | None = "synthetic://", **changes: Any
) -> Path:
    """Returns `folder` with a frame scorer for the embedded tiny model.

    Args:
        folder: where it goes.
        trained_on: as in `FrameScorerCard`.
        **changes: other values of its configuration than `SMALL` has.
    """
    vlm = load_vlm("tiny")
    config = FrameScorerConfig(**{**SMALL, **changes})
    torch.manual_seed(0)
    tower = FrozenTower(encoder="tiny", of_vlm=True, fingerprint=vlm.weights)
    card = FrameScorerCard(network=config, tower=tower, trained_on=trained_on)
    return save_frame_scorer(FrameScorer(config), card, vlm.tokenizer, folder)
