"""What every encoder promises where a video stands still, and the frames that show it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.encoders.units import still_encoder
from framesift.testing.rounding import assert_near
from framesift.testing.samples import random_frames
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

GATE: Final = 8.0
STEPS: Final = 6

Images = npt.NDArray[np.uint8]


class StillPromises:
    """What is skipped is what was there before, whatever the windows are."""

    def test_where_all_changes_skipping_changes_nothing(self, encoder: Encoder) -> None:
        """Frames that differ all over are encoded whole, as `encode` does it."""
        images = random_frames(5, size_px=encoder.input_px).data // 4
        images += np.array([0, 90, 180, 50, 130], np.uint8)[:, None, None, None]
        frames = framed(images)
        tokens, encoded = stilled(encoder, frames)
        assert encoded.all(), "frames that differ by 50 levels of 256 were taken for still ones"
        assert_same_tokens(tokens, encoder.encode(frames))

    def test_a_still_video_is_encoded_once(self, encoder: Encoder) -> None:
        """Copies of one picture have its tokens, and each its own time."""
        step = encoder.frames_per_step
        still = framed(random_frames(1).data.repeat(5 * step, axis=0))
        tokens, encoded = stilled(encoder, still)
        assert encoded.any(1).tolist() == [True] + 4 * [False]
        assert tokens.pts_seconds.tolist() == still.pts_seconds[::step].tolist()
        once = replace(encoder.encode(still[:step]), step_seconds=None)
        assert_same_tokens(tokens, once.frames([0] * 5))

    @pytest.mark.parametrize("steps", [1, 2, 4])
    def test_what_is_skipped_does_not_depend_on_windows(self, encoder: Encoder, steps: int) -> None:
        """A window goes on from what the one before has encoded."""
        frames = changing(encoder, random_frames(1, size_px=encoder.input_px).data // 4)
        whole, all_encoded = stilled(encoder, frames)
        assert all_encoded.any(1).tolist() == [True, False] * (STEPS // 2)
        tokens, encoded = stilled(encoder, frames, steps * encoder.frames_per_step)
        assert torch.equal(encoded, all_encoded)
        assert_same_tokens(tokens, whole)


def framed(images: Images) -> Frames:
    """Returns pictures `(T, H, W, 3)` as the frames of a video, one a second."""
    count = len(images)
    return Frames(data=images, pts_seconds=np.arange(float(count)), indices=np.arange(count))


def changing(encoder: Encoder, picture: Images) -> Frames:
    """Returns six steps of a picture whose first unit changes in every other one."""
    step = encoder.frames_per_step
    images = picture.repeat(STEPS * step, axis=0)
    (rows, columns), (height, width) = encoder.grid, images.shape[1:3]
    for number in range(step, STEPS * step):
        images[number, : height // rows, : width // columns] += np.uint8(40 * (number // step // 2))
    return framed(images)


def stilled(
    encoder: Encoder, frames: Frames, window: int | None = None
) -> tuple[VideoTokens, Tensor]:
    """Returns the tokens of some windows of frames, and which of them were encoded."""
    still, size = still_encoder(encoder, GATE, None), window or len(frames)
    parts = [still.encode(frames[i : i + size]) for i in range(0, len(frames), size)]
    tokens = [replace(part, step_seconds=None) for part, _ in parts]
    encoded = torch.cat([which for _, which in parts])
    return VideoTokens.gather(tokens, len(encoded)), encoded


def columns_of(tokens: VideoTokens) -> dict[str, Tensor]:
    """Returns features, layers and signals by name."""
    layers = {} if tokens.layers is None else {"layers": tokens.layers}
    return {"features": tokens.features, **layers, **tokens.signals.present()}


def assert_same_tokens(tokens: VideoTokens, expected: VideoTokens) -> None:
    """Passes where features, layers and signals differ by rounding alone."""
    columns, wanted = columns_of(tokens), columns_of(expected)
    assert columns.keys() == wanted.keys()
    for name, value in wanted.items():
        assert_near(columns[name], value)
