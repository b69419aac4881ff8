"""A compressed video made by hand, so that every number on a page is known."""

from collections.abc import Callable

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


@pytest.fixture
def sifted() -> Callable[..., Sifted]:
    return _sifted
