"""A compressed video made by hand, so that every number on a page is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from framesift.types.compressed import (
    CompressedVideo,
    CompressionReport,
    Keyframe,
)
from framesift.types.frames import Frames
from framesift.types.plan import TokenPlan
from framesift.types.segments import SegmentTokens

GRID = (3, 4)
Sifted = tuple[CompressedVideo, Frames, list[Keyframe]]


def _sifted(
    *,
    frame_count: int = 6,
    spacing_seconds: float = 1.0,
    plan: TokenPlan | None = None,
    keyframes: int = 2,
    pictures: int | None = None,
    **changes: object,
) -> Sifted:
    """Returns a video that keeps all of frame 0 and the first `t % 3` patches of frame `t`."""
    per_frame = GRID[0] * GRID[1]
    kept = list(range(per_frame))
    kept += [t * per_frame + i for t in range(1, frame_count) for i in range(t % 3)]
    total = frame_count * per_frame
    plan = plan or TokenPlan.keep(torch.tensor(kept), num_in=total, tokens_per_frame=per_frame)
    seconds = torch.arange(frame_count, dtype=torch.float64) * spacing_seconds
    frame, patch = plan.src // per_frame, plan.src % per_frame
    places = torch.stack([frame, patch // GRID[1], patch % GRID[1]], dim=1).float()
    counts = plan.frame_counts().tolist()
    facts = {
        "uri": "clips/car.mp4",
        "duration_seconds": frame_count * spacing_seconds,
        "tokens_in": total,
        "tokens_out": plan.num_out,
        "frames_in": frame_count,
        "frames_encoded": frame_count,
        "frames_out": sum(count > 0 for count in counts),
        "budget": plan.num_out,
        "keep": plan.num_out / total,
        "strategy": "temporal:threshold=0.9",
        "encoder": "handcrafted",
        "decoder": "pyav",
        "fps": 1 / spacing_seconds,
        "grid": GRID,
        "tokens_per_frame_kept": counts,
        "seconds": {"decode": 1.5, "plan": 0.25},
        "versions": {"torch": "2.6.0"},
    }
    video = CompressedVideo(
        tokens=torch.zeros(plan.num_out, 2),
        positions=plan.mean(places),
        pts_seconds=plan.mean(seconds[frame][:, None]).flatten(),
        frame_seconds=seconds,
        plan=plan,
        report=CompressionReport(**{**facts, **changes}),
    )
    places = np.linspace(0, frame_count - 1, pictures or frame_count).round().astype(int)
    pixels = np.random.default_rng(0).integers(0, 256, (len(places), 36, 64, 3), dtype=np.uint8)
    frames = Frames(data=pixels, pts_seconds=seconds.numpy()[places], indices=places)
    keys = [
        Keyframe(
            image=Image.fromarray(pixels[i]),
            pts_seconds=float(frames.pts_seconds[i]),
            score=0.5,
            reason=f"reason {i}",
        )
        for i in range(min(keyframes, len(places)))
    ]
    return video, frames, keys


def _without_frame(video: CompressedVideo, frame: int) -> CompressedVideo:
    """Returns a video whose tokens do not stand for one of the frames."""
    plan = video.plan
    others = plan.src // plan.tokens_per_frame != frame
    fewer = TokenPlan.from_entries(
        dst=plan.dst[others],
        src=plan.src[others],
        weight=plan.weight[others],
        num_in=plan.num_in,
        num_out=plan.num_out,
        tokens_per_frame=plan.tokens_per_frame,
    )
    return replace(video, plan=fewer)


def _segmented(
    *, frame_count: int = 6, length: int = 4, left_out: int | None = None, **changes: object
) -> Sifted:
    """Returns a video in segments: four tokens of the first frame each, two of all its frames.

    Args:
        frame_count: sampled frames.
        length: frames of a segment.
        left_out: a frame that no token stands for.
        changes: fields of the report.
    """
    columns = GRID[1]
    per_frame = GRID[0] * columns
    patches = torch.arange(per_frame)
    fine = patches // columns // 2 * 2 + patches % columns // 2
    coarse = patches % columns // 2
    dst, src, weight, segments = [], [], [], []
    count = 0
    for first in range(0, frame_count, length):
        frames = list(range(first, min(first + length, frame_count)))
        both = len(frames) > 1
        for cell in range(4 + 2 * both):
            cells, own = (fine == cell, frames[:1]) if cell < 4 else (coarse == cell - 4, frames)
            inside = torch.cat([patches[cells] + frame * per_frame for frame in own])
            dst.append(torch.full_like(inside, count))
            src.append(inside)
            weight.append(torch.full((len(inside),), 1 / len(inside)))
            count += 1
        segments.append(
            SegmentTokens(
                start_seconds=frames[0],
                end_seconds=frames[-1],
                key_seconds=frames[0],
                frames=len(frames),
                key_tokens=4,
                temporal_tokens=2 * both,
            )
        )
    plan = TokenPlan.from_entries(
        dst=torch.cat(dst),
        src=torch.cat(src),
        weight=torch.cat(weight),
        num_in=frame_count * per_frame,
        num_out=count,
        tokens_per_frame=per_frame,
    )
    video, *pictures = _sifted(frame_count=frame_count, plan=plan, segments=segments, **changes)
    return (video if left_out is None else _without_frame(video, left_out), *pictures)


@pytest.fixture
def segmented() -> Callable[..., Sifted]:
    return _segmented


@pytest.fixture
def sifted() -> Callable[..., Sifted]:
    return _sifted
