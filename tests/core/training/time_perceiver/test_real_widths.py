"""One step of each stage at the widths of a model of the class of Qwen2-7B, with random weights."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from framesift.evaluation.gpu.models import PUBLISHED, QWEN2_7B, onevision_config
from framesift.training.time_perceiver.adapting import adapt_for_stage_2, freeze_for_stage_1
from framesift.training.time_perceiver.dataset import PerceiverBatches
from framesift.training.time_perceiver.lessons import Lesson, TaughtVideo
from framesift.training.time_perceiver.recipe import PRESETS
from framesift.training.time_perceiver.start import begin

FRAMES = 4


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    """Returns LLaVA-OneVision-7B with a layer of its LLM, one of its tower, and few words."""

    def short(ids):
        config = onevision_config(ids, llm={**QWEN2_7B, "num_hidden_layers": 1})
        config.vision_config.num_hidden_layers = 1
        config.text_config.vocab_size = 512
        return config

    model = PUBLISHED[0]
    make = replace(model.make, config=short)
    made = replace(model, make=make).load(tmp_path_factory.mktemp("model"), torch.device("cpu"))
    # Random weights hardly look at the video, and bfloat16 rounds away what a step changes.
    made.hf.float()
    return made


@pytest.mark.slow
def test_both_stages_take_a_step_at_the_widths_of_a_7b_model(vlm):
    recipe = replace(PRESETS["published"], batch=1, lora_rank=8, checkpoint_layers=True)
    recipe = replace(recipe, stage_2=replace(recipe.stage_2, epochs=0.0))
    begun = begin(vlm, recipe)
    config = begun.task.filling.card.perceiver
    assert (config.width, config.grid, config.out_grid) == (1152, (14, 14), (7, 7))
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(FRAMES, 196, 1152, generator=generator).half()
    video = TaughtVideo(
        address="random",
        times_seconds=tuple(map(float, range(FRAMES))),
        lessons=[Lesson(question="what is it", answer="a cat")],
        features=lambda: features,
    )
    batches = PerceiverBatches(
        [video], vlm, begun.strategy, recipe=recipe, epochs=1.0, name="stage_1"
    )
    batch = batches[0]
    assert batch["pooled"].shape == (1, 196 + 49, 1152)
    assert batch["mask"].shape == batch["ids"].shape
    task = begun.task.train()
    freeze_for_stage_1(task, recipe)
    losses = [_stepped(task, batch) for _ in range(2)]
    assert losses[1] < losses[0]
    adapt_for_stage_2(task, recipe)
    _stepped(task, batch)
    adapters = {name: value for name, value in task.named_parameters() if "lora_B" in name}
    assert len(adapters) == 7
    assert all(value.requires_grad and bool(value.any()) for value in adapters.values())


def _stepped(task, batch):
    """Takes a step of AdamW and returns the loss before it."""
    learned = [value for value in task.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-3)
    loss = task(**batch)["loss"]
    assert loss.isfinite()
    loss.backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in learned)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()
