"""What every family promises about still pictures, beside its own processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.encoders.base import Encoder
from framesift.testing._vlm_case import QUESTION, VLMCase
from framesift.testing.rounding import assert_near
from framesift.testing.samples import random_frames
from framesift.testing.tiny_vlms import Shown, own_inputs
from framesift.types.compressed import CompressedVideo
from framesift.types.frames import Frames
from framesift.types.video import VideoInfo
from framesift.vlms.base import Prompt, Turn

SIZES = [(50, 90), (240, 320), (288, 512), (320, 180), (1, 1), (7, 150), (150, 7)]
"""Sizes `(H, W)` of pictures in pixels: none is what a tower takes, some are long and narrow."""


class PictureViewPromises:
    """Promises about still pictures that need no processor of the family."""

    @pytest.mark.parametrize("size_px", SIZES[::2])
    def test_a_picture_has_the_views_that_its_encoder_promises(
        self, case: VLMCase, size_px: tuple[int, int]
    ) -> None:
        """Views, grid and steps are known before the picture is decoded, and lie around it."""
        encoder = _encoder(case, size_px)
        views = encoder.views
        assert views is not None
        tokens = encoder.encode(_frame(size_px))
        assert tokens.frame_count == len(views) == encoder.steps(1)
        assert tokens.grid == encoder.grid
        assert tokens.pts_seconds.tolist() == [0.0] * len(views)
        assert tokens.signals.present().keys() == encoder.gives
        for x0, y0, x1, y1 in views:
            assert x0 < min(1, x1)
            assert y0 < min(1, y1)
            assert max(x1, y1) > 0
        assert encoder.spec == case.vlm.spec

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_on_a_gpu_a_picture_is_nearly_that_of_the_cpu(self, case: VLMCase) -> None:
        """On a GPU the views of a picture stay there, near to those of the CPU."""
        expected = _encoder(case, (50, 90)).encode(_frame((50, 90)))
        on_gpu = case.load(device="cuda", dtype="float32")
        given = on_gpu.encoder.fitted(_info(case, (50, 90))).encode(_frame((50, 90)))
        assert given.features.device.type == "cuda"
        rows = given.features.cpu().flatten(), expected.features.flatten()
        near = torch.cosine_similarity(*rows, dim=0)
        assert near > 0.999
        assert torch.equal(given.live.cpu(), expected.live)


def _info(case: VLMCase, size_px: tuple[int, int]) -> VideoInfo:
    height, width = size_px
    return replace(
        case.info,
        height_px=height,
        width_px=width,
        duration_seconds=0.0,
        frame_count=1,
        average_fps=0.0,
        picture=True,
    )


def _encoder(case: VLMCase, size_px: tuple[int, int]) -> Encoder:
    """Returns the encoder of a picture."""
    encoder = case.vlm.encoder.fitted(_info(case, size_px), 1)
    if encoder.views is None:
        pytest.skip("the family takes pictures as videos")
    return encoder


def _frame(size_px: tuple[int, int]) -> Frames:
    return random_frames(1, size_px, seed=sum(size_px))


class StillPicturePromises:
    """Promises of the families' own processors, which need torchvision."""

    @pytest.mark.parametrize("size_px", SIZES)
    def test_a_picture_is_what_the_familys_own_processor_makes(
        self, case: VLMCase, size_px: tuple[int, int]
    ) -> None:
        """Keep = 1 of a picture gives the ids, the logits and the answer of the own prompt."""
        _check_same(case, [_picture(size_px)])

    def test_several_pictures_are_what_the_familys_own_processor_makes(self, case: VLMCase) -> None:
        """Keep = 1 of two pictures of unequal size gives the own prompt of both."""
        shown = [_picture((50, 90)), _picture((90, 60))]
        given, vlm = _own(case, shown), replace(case.vlm, **case.tiny.several)
        compressor = VideoCompressor(vlm=vlm, strategy="random", keep=1.0)
        videos = tuple(compressor.compress(Image.fromarray(each)) for each in shown)
        inputs = vlm.prompt([Turn(role="user", text=QUESTION, videos=videos)]).inputs()
        assert torch.equal(inputs["input_ids"], given["input_ids"])
        assert_near(case.logits(inputs), case.logits(given))

    def test_several_videos_are_what_the_familys_own_processor_makes(self, case: VLMCase) -> None:
        """Keep = 1 of two videos, of unequal length where it takes such, gives the own prompt."""
        if case.tiny.pictures_only:
            pytest.skip("the family's own processor takes no videos")
        lengths = (4, 4) if case.tiny.stacks else (4, 2)
        _check_same(case, [random_frames(n, case.tiny.size_px, seed=n) for n in lengths])

    def test_pictures_stand_beside_videos(self, case: VLMCase) -> None:
        """A prompt holds videos of several lengths and pictures, as the family's own does."""
        if not case.tiny.mixes:
            pytest.skip("the family's own processor takes either pictures or videos")
        lengths = (4, 4) if case.tiny.stacks else (4, 2)
        first, second = (random_frames(count, case.tiny.size_px, seed=3) for count in lengths)
        _check_same(case, [_picture((50, 90)), first])
        _check_same(case, [first, _picture((60, 40)), second])

    def test_dropped_tokens_of_a_picture_are_as_if_they_had_not_been_there(
        self, case: VLMCase
    ) -> None:
        """Keep < 1 of a picture equals the own prompt without the dropped columns, or masked."""
        picture = _picture((50, 90))
        inputs = _own(case, [picture])
        whole = case.prompt(_compressed(case, picture))
        video = _compressed(case, picture, keep=0.5)
        assert video.report.tokens_in == int(whole.visual.sum()) - int((whole.rows < 0).sum())
        assert video.report.tokens_out == max(1, round(video.report.tokens_in * 0.5))
        prompt = case.prompt(video)
        left = _left(whole, prompt)
        assert torch.equal(prompt.input_ids, inputs["input_ids"][0, left])
        reference = case.left_of(inputs, left, whole.position_ids)
        expected = case.logits(reference.inputs)[:, reference.shown]
        assert_near(case.logits(prompt.inputs()), expected)


def _left(whole: Prompt, reduced: Prompt) -> torch.Tensor:
    """Returns the columns of a whole prompt that are left in a reduced one, bool `(L,)`."""
    places, kept = (
        [*zip(*each.position_ids.reshape(-1, len(each.visual)).tolist(), strict=True)]
        for each in (whole, reduced)
    )
    return torch.tensor([place in {*kept} for place in places])


def _picture(size_px: tuple[int, int]) -> npt.NDArray[np.uint8]:
    pixels: npt.NDArray[np.uint8] = _frame(size_px).data[0]
    return pixels


def _own(case: VLMCase, shown: Sequence[Shown]) -> dict[str, torch.Tensor]:
    if case.tiny.processor is None:
        pytest.skip("the family takes pictures as videos, or its processor is not built here")
    return own_inputs(case.tiny.processor, case.folder, shown, QUESTION)


def _compressed(case: VLMCase, shown: Shown, keep: float = 1.0) -> CompressedVideo:
    """Returns the tokens of a picture as the pipeline makes them, or all of a video."""
    if isinstance(shown, Frames):
        tokens = case.encoder.encode(shown)
        return case.video_of(tokens)
    compressor = VideoCompressor(vlm=case.vlm, strategy="random", keep=keep)
    return compressor.compress(Image.fromarray(shown))


def _check_same(case: VLMCase, shown: Sequence[Shown]) -> None:
    given = _own(case, shown)
    prompt = case.prompt(*(_compressed(case, each) for each in shown))
    inputs = prompt.inputs()
    assert torch.equal(inputs["input_ids"], given["input_ids"])
    assert_near(case.logits(inputs), case.logits(given))
    assert torch.equal(case.generated(inputs), case.generated(given))
    assert prompt.visual_tokens_before == int(prompt.visual.sum())
