"""Made-up frames and tokens, the same for the same seed."""

from __future__ import annotations

import numpy as np
import torch

from framesift.types.frames import Frames
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
        ),
    )


def random_frames(
    count: int = 4, size_px: tuple[int, int] = (61, 97), *, fps: float = 2, seed: int = 0
) -> Frames:
    """Returns frames of noise, of `size_px` as `(H, W)`."""
    random = np.random.default_rng(seed)
    return Frames(
        data=random.integers(0, 256, (count, *size_px, 3), dtype=np.uint8),
        pts_seconds=np.arange(count) / fps,
        indices=np.arange(count),
    )
