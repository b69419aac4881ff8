"""Made-up frames, tokens and values of options, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from framesift.compression.reducing import applied
from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.frames import Frames
from framesift.types.plan import TokenPlan
from framesift.types.schema import choices, listed
from framesift.types.tokens import Signals, VideoTokens


def random_tokens(
    frames: int = 7,
    height: int = 4,
    width: int = 4,
    channels: int = 16,
    *,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> VideoTokens:
    """Returns tokens of a scene in which three tenths of the patches change, one frame a second.

    They carry every signal that a strategy can need.
    """
    generator = torch.Generator().manual_seed(seed)
    still = torch.randn(1, height * width, channels, generator=generator)
    moved = torch.randn(frames, height * width, channels, generator=generator)
    changes = torch.rand(frames, height * width, 1, generator=generator) < 0.3
    count = (frames, height * width)
    return VideoTokens(
        features=(still + moved * changes).to(dtype),
        grid=(height, width),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(
            attention=torch.rand(count, generator=generator),
            keys=torch.randn(*count, 8, generator=generator),
            edge_density=torch.rand(count, generator=generator),
            question_similarity=torch.rand(count, generator=generator),
            llm_attention=torch.rand(count, generator=generator),
            pre_projector=torch.randn(*count, 2 * channels, generator=generator).to(dtype),
            text=torch.rand(count, generator=generator).sub(0.4).clamp_min(0),
        ),
    )


def random_frames(
    count: int = 4, size_px: tuple[int, int] = (61, 97), *, fps: float = 1, seed: int = 0
) -> Frames:
    """Returns frames of noise, of `size_px` as `(H, W)`."""
    random = np.random.default_rng(seed)
    return Frames(
        data=random.integers(0, 256, (count, *size_px, 3), dtype=np.uint8),
        pts_seconds=np.arange(count) / fps,
        indices=np.arange(count),
    )


def compressed(tokens: VideoTokens, plan: TokenPlan) -> CompressedVideo:
    """Returns what the pipeline makes of a plan."""
    seconds, counts = tokens.pts_seconds.double(), plan.frame_counts().tolist()
    return CompressedVideo(
        **applied(tokens, plan, plan.apply(tokens.features)),
        report=CompressionReport(
            uri="noise",
            duration_seconds=float(seconds[-1] + (seconds.diff()[-1] if len(seconds) > 1 else 1)),
            tokens_in=tokens.count,
            tokens_out=plan.num_out,
            frames_in=tokens.frame_count,
            frames_encoded=tokens.frame_count,
            frames_out=sum(count > 0 for count in counts),
            budget=plan.num_out,
            keep=plan.num_out / plan.num_in,
            strategy="test",
            encoder="test",
            decoder="none",
            fps=1.0,
            grid=tokens.grid,
            tokens_per_frame_kept=counts,
            seconds={},
        ),
    )


def option_types(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the types that an option may have, without None and objects."""
    return [each for each in choices(schema) if each.get("type", "null") != "null"]


def values_beyond(schema: dict[str, Any]) -> Iterator[object]:
    """Yields values just outside of the range of an option."""
    for each in option_types(schema):
        step = 1 if each["type"] == "integer" else 1e-3
        if "minimum" in each:
            yield each["minimum"] - step
        if "exclusiveMinimum" in each:
            yield each["exclusiveMinimum"]
        if "maximum" in each:
            yield each["maximum"] + step
        if "exclusiveMaximum" in each:
            yield each["exclusiveMaximum"]
        if listed(each):
            yield "none of them"
            continue
        if each["type"] == "number":
            yield from (math.nan, math.inf, True)
        if each["type"] in ("integer", "boolean"):
            yield from (0.5, "1")
