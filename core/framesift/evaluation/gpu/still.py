"""What not encoding the units that stand still takes, beside encoding all."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from framesift.encoders.units import still_encoder
from framesift.evaluation.gpu.answers import FIRST_TOKEN, BothPaths
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

GATE: Final = 8.0
"""Change in levels of 256 above which a unit is encoded again; the recommended one."""


def made_up_frames(count: int, size_px: tuple[int, int], *, still: bool) -> Frames:
    """Returns coarse noise: of `still` frames one quarter changes each time, else everything.

    Args:
        count: number of frames.
        size_px: their size `(H, W)`.
        still: whether three quarters stand still.
    """
    random = np.random.default_rng(0)
    height, width = size_px
    coarse = random.integers(0, 256, (count, -(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    if still:
        rows, columns = coarse.shape[1] // 2, coarse.shape[2] // 2
        moving = coarse[:, :rows, :columns].copy()
        coarse[:] = coarse[:1]
        coarse[:, :rows, :columns] = moving
    data = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    return Frames(
        data=np.ascontiguousarray(data),
        pts_seconds=np.arange(count, dtype=np.float64),
        indices=np.arange(count),
    )


def skipping(paths: BothPaths, keep: float, *, still: float) -> dict[str, Any]:
    """Returns what encoding takes with and without skipping, and the share that is encoded.

    Args:
        paths: a video.
        keep: share of its tokens that the first token is measured with.
        still: share of the video that stands still.
    """
    clock, encoder, shares = paths.clock, paths.encoder, list[float]()
    signals = paths.strategy.required_signals & encoder.gives

    def skipped() -> VideoTokens:
        tokens, encoded = still_encoder(encoder, GATE, signals).encode(paths.frames)
        shares.append(float(encoded.float().mean()))
        return tokens

    whole, seconds = clock.seconds(paths.encoded), clock.seconds(skipped)
    return {
        "frames": len(paths.frames),
        "still": still,
        "gate": GATE,
        "share_encoded": shares[-1],
        "encode_seconds": whole,
        "skipping_seconds": seconds,
        "times_whole": seconds / whole,
        "first_token_seconds": clock.seconds(
            lambda: paths.answered(paths.reduced(skipped(), keep), FIRST_TOKEN), warm=False
        ),
    }
