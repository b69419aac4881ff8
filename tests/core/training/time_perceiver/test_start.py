from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from framesift.errors import InvalidOptionError
from framesift.testing.tiny_vlms import TINY_VLMS
from framesift.training.time_perceiver.adapting import freeze_for_stage_1
from framesift.training.time_perceiver.dataset import PerceiverBatches
from framesift.training.time_perceiver.lessons import Lesson, TaughtVideo
from framesift.training.time_perceiver.recipe import PRESETS
from framesift.training.time_perceiver.start import begin
from framesift.vlms.load import load_vlm

RECIPE = replace(PRESETS["published"], head_dim=8, depth=1, batch=2)
LESSONS = [Lesson(question="what is it", answer="a cat"), Lesson(question="who", answer="me")]


def taught(number, grid, width):
    frames = 5 + number
    generator = torch.Generator().manual_seed(number)
    features = torch.randn(frames, grid[0] * grid[1], width, generator=generator)
    return TaughtVideo(
        address=f"drawn {number}",
        times_seconds=tuple(map(float, range(frames))),
        lessons=LESSONS[: 1 + number],
        features=lambda: features.half(),
    )


@pytest.mark.parametrize(
    ("family", "stage"),
    [
        ("llava", "pre"),
        ("llava-onevision", "pre"),
        ("llava-onevision", "post"),
        ("llava-next-video", "post"),
        ("internvl", "post"),
        ("smolvlm", "post"),
    ],
)
def test_every_family_of_frames_is_trained_by_its_own_prompt(family, stage, tmp_path):
    TINY_VLMS[family].build(tmp_path)
    begun = begin(load_vlm(str(tmp_path), device="cpu"), replace(RECIPE, stage=stage))
    task, config = begun.task, begun.task.filling.card.perceiver
    videos = [taught(number, config.grid, config.width) for number in range(2)]
    batches = PerceiverBatches(
        videos, begun.vlm, begun.strategy, recipe=RECIPE, epochs=1.0, name="stage_1"
    )
    freeze_for_stage_1(task, RECIPE)
    batch = batches[0]
    task(**batch)["loss"].backward()
    assert task.filling.perceiver.latents.grad.abs().sum() > 0
    for video in videos:
        prompt = batches.looked(video, video.lessons).prompt
        skipped = batches.packer._skipped
        assert skipped is None or skipped >= 1
        assert int((prompt.rows >= 0).sum()) == int(prompt.rows.max()) + 1
        assert set(prompt.parts.tolist()) == set(range(1 + len(video.lessons)))


@pytest.mark.parametrize("family", ["qwen2-5-vl", "qwen3-vl"])
def test_models_that_join_frames_are_refused_in_one_line(family, tmp_path):
    TINY_VLMS[family].build(tmp_path)
    with pytest.raises(InvalidOptionError, match="take a LLaVA") as error:
        begin(load_vlm(str(tmp_path), device="cpu"), replace(RECIPE, stage="post"))
    assert "\n" not in str(error.value)


def test_a_projector_that_joins_tokens_is_no_place_behind_which_to_condense(tmp_path):
    TINY_VLMS["internvl"].build(tmp_path)
    with pytest.raises(InvalidOptionError, match="stage=post"):
        begin(load_vlm(str(tmp_path), device="cpu"), RECIPE)
