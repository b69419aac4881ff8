"""What every vision LLM promises of its encoder where a video stands still."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from framesift.testing._still import assert_same_tokens, changing, columns_of, framed, stilled
from framesift.testing._vlm_case import FRAMES, VLMCase


class UnitPromises:
    """What is skipped is what was there before, whatever the windows and the dtype are."""

    def test_skipping_nothing_is_the_ordinary_path(self, case: VLMCase) -> None:
        """Where every patch changes, all tokens and signals are those of the ordinary path."""
        tokens, encoded = stilled(case.encoder, case.frames)
        assert encoded.all(), "frames of noise were taken for still ones"
        assert_same_tokens(tokens, case.tokens)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_a_still_video_has_the_tokens_of_one_step(self, case: VLMCase, dtype: str) -> None:
        """Copies of one picture are encoded once, also where the last step lacks a frame."""
        encoder = case.load(device="cpu", dtype=dtype).encoder.fitted(case.info, FRAMES)
        step = encoder.frames_per_step
        still = framed(case.frames.data[:1].repeat(5 * step - (step - 1), axis=0))
        tokens, encoded = stilled(encoder, still)
        assert encoded[0].all()
        assert not encoded[1:].any(), "a still picture was encoded again"
        once = encoder.encode(still[:step])
        assert tokens.pts_seconds.tolist() == still.pts_seconds[::step].tolist()
        assert_same_tokens(tokens, replace(once, step_seconds=None).frames([0] * 5))

    @pytest.mark.parametrize("steps", [1, 2, 4])
    def test_windows_of_any_length_give_the_same_tokens(self, case: VLMCase, steps: int) -> None:
        """A window goes on from what the one before has encoded."""
        frames = changing(case.encoder, case.frames.data[:1])
        whole, all_encoded = stilled(case.encoder, frames)
        assert 0 < all_encoded[1:].float().mean() < 1
        tokens, encoded = stilled(case.encoder, frames, steps * case.encoder.frames_per_step)
        assert torch.equal(encoded, all_encoded)
        assert_same_tokens(tokens, whole)

    def test_tokens_that_are_skipped_copy_those_before(self, case: VLMCase) -> None:
        """A skipped token has the features, signals and layers of the step before it."""
        tokens, encoded = stilled(case.encoder, changing(case.encoder, case.frames.data[:1]))
        skipped = ~encoded[1:]
        columns = columns_of(tokens)
        columns.pop("edge_density", None)  # It is of each frame itself.
        for value in columns.values():
            assert torch.equal(value[1:][skipped], value[:-1][skipped])

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_on_a_gpu_what_changes_is_encoded_as_on_the_cpu(self, case: VLMCase) -> None:
        """On a GPU the same tokens are skipped, and the others are near to those of the CPU."""
        there = case.load(device="cuda", dtype="float32").encoder.fitted(case.info, FRAMES)
        frames = changing(case.encoder, case.frames.data[:1])
        (own, skipped), (tokens, as_well) = (
            stilled(each, frames) for each in (case.encoder, there)
        )
        assert torch.equal(as_well.cpu(), skipped)
        expected = columns_of(own)
        for name, value in columns_of(tokens).items():
            assert value.device.type == "cuda", name
            near = torch.cosine_similarity(value.cpu().flatten(), expected[name].flatten(), dim=0)
            assert near > 0.999, f"{name} on the GPU is not that on the CPU"
