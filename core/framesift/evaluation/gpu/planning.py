"""What the plan of every strategy takes, beside the tower that makes the tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch

from framesift.evaluation.gpu.answers import Tried
from framesift.evaluation.gpu.clock import DeviceClock
from framesift.registry import require
from framesift.strategies import registry
from framesift.testing.samples import random_tokens
from framesift.types.budget import Budget
from framesift.types.tokens import Signals, VideoTokens

QUARTER: Final = Budget(keep=0.25)
SLOW_SECONDS: Final = 2.0
"""A plan that takes longer is not repeated."""


@dataclass(frozen=True, kw_only=True)
class PlanSize:
    """The tokens that are planned, and the tower that they are set beside."""

    name: str
    """Of the tower."""
    frames: int
    side: int
    """Rows and columns of tokens."""
    channels: int
    tower: dict[str, Any]
    """Options of a `CLIPVisionConfig`."""


CLIP_LARGE: Final = PlanSize(
    name="CLIP ViT-L",
    frames=128,
    side=14,
    channels=1024,
    tower={
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 16,
    },
)
CLIP_TINY: Final = PlanSize(
    name="a tiny CLIP",
    frames=8,
    side=4,
    channels=32,
    tower={
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    },
)


def planning(clock: DeviceClock, size: PlanSize, tried: Tried) -> dict[str, Any]:
    """Returns what encoding takes, and for every strategy its plan, share and launches.

    Args:
        clock: of the device.
        size: what is planned and encoded.
        tried: runs a strategy, which may fail without the others.
    """
    encode = _encoding(clock, size)
    tokens = _tokens(clock.device, size)
    plans = _plans(clock, tokens, tried)
    rows = [{**row, "share_of_encoding": row["seconds"] / encode} for row in plans]
    rows.sort(key=lambda row: row["seconds"])
    return {
        "tower": size.name,
        "frames": size.frames,
        "tokens": tokens.count,
        "channels": size.channels,
        "kept": QUARTER.keep,
        "encode_seconds": encode,
        "rows": rows,
    }


@torch.no_grad()
def _encoding(clock: DeviceClock, size: PlanSize) -> float:
    """Returns the seconds of a CLIP tower over all frames at once, in bfloat16."""
    transformers = require("transformers", extra="hf")
    with torch.device(clock.device):
        tower = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**size.tower))
        pixels = torch.zeros(size.frames, 3, *[size.tower["image_size"]] * 2, dtype=torch.bfloat16)
    tower = tower.to(torch.bfloat16).eval()
    return clock.seconds(lambda: tower(pixels))


def _tokens(device: torch.device, size: PlanSize) -> VideoTokens:
    tokens = random_tokens(size.frames, size.side, size.side, size.channels)
    signals = {name: value.to(device) for name, value in tokens.signals.present().items()}
    return replace(tokens, features=tokens.features.to(device), signals=Signals(**signals))


def _plans(clock: DeviceClock, tokens: VideoTokens, tried: Tried) -> Iterator[dict[str, Any]]:
    for name in registry.names():
        if registry.get(name).applies_to == "tokens before the LLM":
            row = tried(f"plan of {name}", partial(_plan, name, clock, tokens))
            if row is not None:
                yield row


@torch.no_grad()
def _plan(name: str, clock: DeviceClock, tokens: VideoTokens) -> dict[str, Any]:
    strategy, budget = registry.create(name), QUARTER.tokens(tokens.count)
    plan = partial(strategy.plan, tokens, budget, "What happens?")
    plan()
    first = clock.once(plan)
    slow = first > SLOW_SECONDS
    return {
        "strategy": name,
        "seconds": first if slow else clock.seconds(plan, warm=False),
        "launches": clock.launches(plan),
    }
