"""The promise of an adapter that its prompts are those of the family's own processor."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from framesift.testing._vlm_case import QUESTION, TinyModels, VLMCase
from framesift.testing._vlm_pictures import StillPicturePromises
from framesift.testing.rounding import assert_near
from framesift.testing.samples import compressed, random_frames
from framesift.types.frames import Frames
from framesift.types.plan import TokenPlan
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

SIZES_PX = [(50, 90), (240, 320), (288, 512), (512, 288), (720, 1280), (1810, 2048)]
"""Frame sizes `(H, W)`: scaled up and down, upright, and sides that make no whole tokens."""
ODD_FRAMES = 3


class VLMProcessorContract(StillPicturePromises, TinyModels):
    """keep = 1 equal to what the family's own processor for videos makes; needs torchvision.

    class TestMyProcessor(VLMProcessorContract):
        tiny = TinyVLM(family="mine", build=..., ordinary=..., processed=...)
    """

    def test_the_whole_video_is_what_the_familys_own_processor_makes(self, case: VLMCase) -> None:
        """Keep = 1 is what the family's own processor for videos makes, which needs torchvision."""
        if case.tiny.processed is None:
            pytest.skip("the ordinary inputs come from the family's own processor already")
        given = case.tiny.processed(case.folder, case.frames, QUESTION)
        inputs = case.prompt(case.whole).inputs()
        assert torch.equal(inputs["input_ids"], given["input_ids"])
        assert_near(case.logits(inputs), case.logits(given))
        assert torch.equal(case.generated(inputs), case.generated(given))

    @pytest.mark.parametrize("size_px", SIZES_PX)
    def test_frames_of_any_size_are_resized_as_by_the_familys_own_processor(
        self, case: VLMCase, size_px: tuple[int, int]
    ) -> None:
        """The tower gets the same pixels of an odd number of frames, the LLM the same prompt."""
        frames = random_frames(ODD_FRAMES, size_px)
        own = _own_inputs(case, frames)
        expected, logits = _seen_by_tower(case, lambda: case.logits(own))

        height, width = size_px
        info = replace(case.info, width_px=width, height_px=height)
        encoder = case.vlm.encoder.fitted(info, ODD_FRAMES)
        found, tokens = _seen_by_tower(case, lambda: encoder.encode(frames))
        assert len(found)
        # Where the family's own prompt has its features already, the logits say it all.
        if "mm_encoder_outputs" not in own:
            # A level of 256 is more than a hundredth in all that checkpoints normalize by.
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)

        plan = TokenPlan.keep(
            torch.arange(tokens.count),
            num_in=tokens.count,
            tokens_per_frame=tokens.tokens_per_frame,
        )
        inputs = case.prompt(compressed(tokens, plan), positions="original").inputs()
        assert torch.equal(inputs["input_ids"], own["input_ids"])
        assert_near(case.logits(inputs), logits)

    def test_what_the_familys_own_processor_saves_is_read_alike(
        self, case: VLMCase, tmp_path: Path
    ) -> None:
        """A folder with the files that the own processor writes gives the same tokens and ids."""
        if case.tiny.processor is None:
            pytest.skip("the family's own processor is not built here")
        folder = tmp_path / "saved"
        shutil.copytree(case.folder, folder)
        for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
            (folder / name).unlink(missing_ok=True)
        case.tiny.processor(case.folder).save_pretrained(folder)
        saved = replace(load_vlm(str(folder), device="cpu"), **case.tiny.options)
        frames = random_frames(ODD_FRAMES, (50, 90))
        info = replace(case.info, width_px=90, height_px=50)
        for each in (info, replace(info, picture=True)):
            count = 1 if each.picture else ODD_FRAMES
            own, found = (
                vlm.encoder.fitted(each, count).encode(frames[:count]) for vlm in (case.vlm, saved)
            )
            assert found.grid == own.grid
            assert_near(found.features, own.features)
        video = case.video_of(own)
        turns = [Turn(role="user", text=QUESTION, videos=(video,))]
        assert torch.equal(saved.prompt(turns).input_ids, case.vlm.prompt(turns).input_ids)


def _own_inputs(case: VLMCase, frames: Frames) -> dict[str, Any]:
    if case.tiny.processed is not None:
        return case.tiny.processed(case.folder, frames, QUESTION)
    return case.tiny.ordinary(case.folder, frames, QUESTION).inputs


def _seen_by_tower(case: VLMCase, run: Any) -> tuple[Tensor, Any]:
    """Returns all pixels that reach the tower while something runs, in order, and its result.

    Patches that lie nowhere only fill up a frame, and are left out.
    """
    seen: list[Tensor] = []

    def note(module: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = (each for each in (*args, *named.values()) if isinstance(each, Tensor))
        pixels = next(each for each in given if each.is_floating_point())
        places = named.get("pixel_position_ids")
        there = pixels if places is None else pixels[(places >= 0).all(-1)]
        seen.append(there.flatten())

    tower: Any = case.vlm.encoder
    handle = tower.tower.register_forward_pre_hook(note, with_kwargs=True)
    try:
        result = run()
    finally:
        handle.remove()
    return torch.cat([torch.empty(0), *seen]), result
