"""What every vision LLM promises of its encoder where a video stands still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.encoders.units import still_encoder
from framesift.testing._vlm_case import VLMCase
from framesift.testing.rounding import assert_near
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

GATE = 8.0


class UnitPromises:
    """What is skipped is what was there before, whatever the windows and the dtype are."""

    def test_skipping_nothing_is_the_ordinary_path(self, case: VLMCase) -> None:
        """Where every patch changes, all tokens and signals are those of the ordinary path."""
        tokens, encoded = _still(case.encoder, case.frames)
        assert encoded.all(), "frames of noise were taken for still ones"
        _assert_same_tokens(tokens, case.tokens)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_a_still_video_has_the_tokens_of_one_step(self, case: VLMCase, dtype: str) -> None:
        """Copies of one picture are encoded once, also where the last step lacks a frame."""
        encoder = case.load(device="cpu", dtype=dtype).encoder.fitted(case.info)
        step = encoder.frames_per_step
        still = _frames(case.frames.data[:1].repeat(5 * step - (step - 1), axis=0))
        tokens, encoded = _still(encoder, still)
        assert encoded[0].all()
        assert not encoded[1:].any(), "a still picture was encoded again"
        once = encoder.encode(still[:step])
        assert tokens.pts_seconds.tolist() == still.pts_seconds[::step].tolist()
        _assert_same_tokens(tokens, replace(once, step_seconds=None).frames([0] * 5))

    @pytest.mark.parametrize("steps", [1, 2, 4])
    def test_windows_of_any_length_give_the_same_tokens(self, case: VLMCase, steps: int) -> None:
        """A window goes on from what the one before has encoded."""
        frames = _changing(case)
        whole, all_encoded = _still(case.encoder, frames)
        assert 0 < all_encoded[1:].float().mean() < 1
        tokens, encoded = _still(case.encoder, frames, steps * case.encoder.frames_per_step)
        assert torch.equal(encoded, all_encoded)
        _assert_same_tokens(tokens, whole)

    def test_tokens_that_are_skipped_copy_those_before(self, case: VLMCase) -> None:
        """A skipped token has the features, signals and layers of the step before it."""
        tokens, encoded = _still(case.encoder, _changing(case))
        skipped = ~encoded[1:]
        columns = _columns(tokens)
        columns.pop("edge_density", None)  # It is of each frame itself.
        for value in columns.values():
            assert torch.equal(value[1:][skipped], value[:-1][skipped])


def _frames(images: npt.NDArray[np.uint8]) -> Frames:
    count = len(images)
    return Frames(data=images, pts_seconds=np.arange(float(count)), indices=np.arange(count))


def _changing(case: VLMCase) -> Frames:
    """Returns six steps of a picture whose first unit changes in every other one."""
    step = case.encoder.frames_per_step
    images = case.frames.data[:1].repeat(6 * step, axis=0)
    (rows, columns), (height, width) = case.encoder.grid, images.shape[1:3]
    for number in range(step, 6 * step):
        images[number, : height // rows, : width // columns] += np.uint8(40 * (number // step // 2))
    return _frames(images)


def _still(
    encoder: Encoder, frames: Frames, window: int | None = None
) -> tuple[VideoTokens, Tensor]:
    """Returns the tokens of some windows of frames, and which of them were encoded."""
    still, size = still_encoder(encoder, GATE, None), window or len(frames)
    parts = [still.encode(frames[i : i + size]) for i in range(0, len(frames), size)]
    tokens = [replace(part, step_seconds=None) for part, _ in parts]
    encoded = torch.cat([which for _, which in parts])
    return VideoTokens.gather(tokens, len(encoded)), encoded


def _columns(tokens: VideoTokens) -> dict[str, Tensor]:
    layers = {} if tokens.layers is None else {"layers": tokens.layers}
    return {"features": tokens.features, **layers, **tokens.signals.present()}


def _assert_same_tokens(tokens: VideoTokens, expected: VideoTokens) -> None:
    columns, wanted = _columns(tokens), _columns(expected)
    assert columns.keys() == wanted.keys()
    for name, value in wanted.items():
        assert_near(columns[name], value)
