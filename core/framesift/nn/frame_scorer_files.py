"""A trained frame scorer on disk: weights, what is known of them, and the tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import torch

from framesift.hf.checkpoint import load_tokenizer
from framesift.nn.frame_scorer import FrameScorer
from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.nn.network_files import NetworkFiles
from framesift.types.options import Options


@dataclass(frozen=True, kw_only=True)
class FrozenTower(Options):
    """The vision tower whose features a frame scorer reads; it is not kept in its folder."""

    encoder: str
    """Spec string of the encoder, or of the vision LLM that has the tower."""
    of_vlm: bool
    """Whether `encoder` is a vision LLM, whose features before its projector are read."""
    fingerprint: str
    """Digits of the weights of the tower's checkpoint; with other weights the scores would mean
    nothing."""


@dataclass(frozen=True, kw_only=True)
class FrameScorerCard(Options):
    """What is known of a trained frame scorer besides its weights."""

    network: FrameScorerConfig
    tower: FrozenTower
    trained_on: str | None = None
    """What the addresses of the only videos that it was trained on begin with; None for any."""


FRAME_SCORERS: Final = NetworkFiles(
    kind="framesift-frame-scorer",
    version=1,
    named="frame scorer",
    made_by="`framesift train frame-selector`",
    card=FrameScorerCard,
)
"""How they are written and read."""


@dataclass(frozen=True, kw_only=True)
class LoadedFrameScorer:
    """A trained frame scorer, ready to run."""

    network: FrameScorer
    card: FrameScorerCard
    tokenizer: Any


def save_frame_scorer(
    network: FrameScorer, card: FrameScorerCard, tokenizer: Any, folder: Path
) -> Path:
    """Returns `folder` after writing weights in half precision, configuration and tokenizer.

    Raises:
        ModelError: a weight is not a finite number in half precision.
        StorageError: the folder cannot be written to.
    """
    FRAME_SCORERS.write(network, card, folder)
    tokenizer.save_pretrained(folder)
    return folder


def load_frame_scorer(
    folder: Path, *, device: str, dtype: Literal["float32", "float16", "bfloat16"] | torch.dtype
) -> LoadedFrameScorer:
    """Returns a trained frame scorer in evaluation mode.

    Raises:
        ModelError: the folder does not hold one whole, or its files do not belong together.
    """
    card = FRAME_SCORERS.read_card(folder)
    tokenizer = load_tokenizer(str(folder), trust_remote_code=False)
    network = FRAME_SCORERS.fill(partial(FrameScorer, card.network), folder)
    kind = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    return LoadedFrameScorer(
        network=network.to(device, kind).eval(), card=card, tokenizer=tokenizer
    )
