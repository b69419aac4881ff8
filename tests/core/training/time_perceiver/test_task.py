import copy

import pytest
import torch

from framesift.strategies.slow_fast import SlowFast
from framesift.training.packing import IGNORED_LABEL
from framesift.training.time_perceiver.adapting import freeze_for_stage_1
from framesift.training.time_perceiver.dataset import PerceiverBatches, collated
from framesift.training.time_perceiver.prompts import stand_in
from framesift.training.time_perceiver.task import PerceiverTask
from framesift.types.tokens import VideoTokens
from framesift.vlms.base import Turn


def batches_of(begun, recipe, videos):
    return PerceiverBatches(
        videos, begun.vlm, begun.strategy, recipe=recipe, epochs=1.0, name="stage_1"
    )


@pytest.mark.parametrize("include_key", [True, False])
def test_untrained_tokens_are_the_means_of_the_plan(start, videos, include_key):
    begun, recipe = start(include_key=include_key)
    batches = batches_of(begun, recipe, videos)
    for video in (videos[0], videos[5]):
        looked = batches.looked(video, video.lessons)
        batch = collated([looked])
        names = ("pooled", "frames", "live", "rows_at", "cells_at")
        with torch.no_grad():
            given = begun.task.tokens(*(batch[name] for name in names))
            expected = begun.task.filling.projected(looked.pooled.float())
        assert torch.allclose(given, expected, atol=2e-3)


def test_what_is_foretold_is_what_the_model_foretells_of_each_prompt(start, videos):
    begun, recipe = start()
    vlm, batches = begun.vlm, batches_of(begun, recipe, videos)
    some = [videos[5], videos[1], videos[2]]
    looked = [batches.looked(video, video.lessons) for video in some]
    batch = collated(looked)
    begun.task.eval()
    with torch.no_grad():
        guess = begun.task(**batch)["guess"]
    expected = []
    for video, each in zip(some, looked, strict=True):
        tokens = VideoTokens(
            features=video.features(),
            grid=(8, 8),
            pts_seconds=torch.tensor(video.times_seconds),
        )
        rows = begun.strategy.rows(tokens, range(tokens.frame_count))
        given = stand_in(vlm, rows.plan, video.times_seconds)
        with torch.no_grad():
            given.tokens.copy_(begun.task.filling.projected(each.pooled.float()))
        for lesson in video.lessons:
            prompt = vlm.prompt([Turn(role="user", text=lesson.question, videos=(given,))])
            told = torch.tensor(
                [*vlm.tokenizer(lesson.answer)["input_ids"], vlm.tokenizer.eos_token_id]
            )
            inputs = prompt.inputs()
            end = inputs["position_ids"][:, -1:] + torch.arange(1, len(told) + 1)
            inputs["input_ids"] = torch.cat([inputs["input_ids"], told[None]], 1)
            inputs["position_ids"] = torch.cat([inputs["position_ids"], end], 1)
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
            with torch.no_grad():
                logits = vlm.hf(**inputs).logits
            expected.append(logits[0, -len(told) - 1 : -1].argmax(-1))
    assert torch.equal(guess, torch.cat(expected))


def test_only_the_network_and_its_projector_learn_in_stage_1(start, videos):
    begun, recipe = start()
    batches = batches_of(begun, recipe, videos)
    freeze_for_stage_1(begun.task, recipe)
    begun.task(**batches[0])["loss"].backward()
    learned = {name for name, value in begun.task.named_parameters() if value.grad is not None}
    assert learned == {f"filling.{name}" for name, _ in begun.task.filling.named_parameters()}
    assert set(begun.task.state_dict()) == learned
    # Behind weights that are zero at first, only these weights and what is added to the means.
    moved = {n for n, v in begun.task.filling.named_parameters() if bool(v.grad.abs().sum())}
    assert moved >= {"perceiver.latents", "projector.linear_1.weight"}
    assert "perceiver.blocks.0.out.weight" in moved


def test_behind_the_projector_there_is_none_to_learn(start, videos):
    begun, recipe = start(stage="post")
    assert begun.task.filling.projector is None
    batch = batches_of(begun, recipe, videos)[0]
    assert begun.task(**batch)["loss"].isfinite()


def test_the_plan_is_that_of_the_strategy(start, videos):
    begun, recipe = start(key_stride=1, time_stride=4, include_key=True)
    layout = SlowFast(key_stride=1, time_stride=4, include_key=True).layout_on((8, 8))
    assert begun.strategy.layout_on((8, 8)) == layout
    looked = batches_of(begun, recipe, videos).looked(videos[4], ())
    assert len(looked.pooled) == 2 * (64 + 4)
    assert looked.prompt.labels.eq(IGNORED_LABEL).all()


def test_a_batch_is_always_the_same(start, videos):
    begun, recipe = start(fewest=0.3)
    one, same = (batches_of(begun, recipe, videos) for _ in range(2))
    assert one.steps == len(one) == 4
    for item in range(4):
        for name, value in one[item].items():
            assert torch.equal(value, same[item][name])


def test_rows_of_a_batch_are_read_as_alone(start, videos):
    begun, recipe = start()
    batches = batches_of(begun, recipe, videos)
    with torch.no_grad():
        torch.nn.init.normal_(begun.task.filling.perceiver.blocks[0].out.weight, std=0.05)
        torch.nn.init.normal_(begun.task.filling.perceiver.places, std=0.5)
        begun.task.eval()
        looked = [batches.looked(video, video.lessons) for video in (videos[1], videos[6])]
        together = begun.task(**collated(looked))["guess"]
        alone = torch.cat([begun.task(**collated([each]))["guess"] for each in looked])
    assert torch.equal(together, alone)


def test_a_single_question_sees_the_video_as_one_of_several_does(start, videos):
    begun, recipe = start()
    batches, video = batches_of(begun, recipe, videos), videos[0]
    freeze_for_stage_1(begun.task, recipe)
    losses, gradients = [], []
    for lessons in (video.lessons, video.lessons * 2):
        batch = collated([batches.looked(video, lessons)])
        assert batch["mask"].ndim == (2 if len(lessons) == 1 else 4)
        loss = begun.task(**batch)["loss"]
        begun.task.zero_grad()
        loss.backward()
        losses.append(loss.item())
        gradients.append(begun.task.filling.perceiver.latents.grad.clone())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert gradients[0].abs().sum() > 0
    assert torch.allclose(*gradients, atol=1e-5)


def test_single_questions_of_several_videos_are_read_as_alone(start, videos):
    begun, recipe = start()
    batches = batches_of(begun, recipe, videos)
    begun.task.eval()
    looked = [batches.looked(video, video.lessons[:1]) for video in (videos[0], videos[6])]
    with torch.no_grad():
        both = begun.task(**collated(looked))["loss"]
        alone = [begun.task(**collated([each]))["loss"] for each in looked]
    assert float(both) == pytest.approx(float(sum(alone)) / 2, abs=1e-5)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_a_frozen_model_in_half_precision_teaches_under_autocast(start, videos, kind):
    """So vision LLMs are loaded on a GPU, where steps are in bfloat16."""
    begun, recipe = start()
    batch = batches_of(begun, recipe, videos)[0]
    freeze_for_stage_1(begun.task, recipe)
    exact = begun.task(**batch)["loss"]
    exact.backward()
    wanted = begun.task.filling.perceiver.latents.grad.clone()
    begun.task.zero_grad()
    model, head = (
        copy.deepcopy(each).to(kind) for each in (begun.task.language_model, begun.task.head)
    )
    half = PerceiverTask(begun.task.filling, model, head, begun.task.extra.to(kind))
    freeze_for_stage_1(half, recipe)
    with torch.autocast("cpu", torch.bfloat16):
        found = half(**batch)["loss"]
    found.backward()
    grad = begun.task.filling.perceiver.latents.grad
    assert found.item() == pytest.approx(exact.item(), rel=0.05)
    assert torch.cosine_similarity(grad.flatten(), wanted.flatten(), dim=0) > 0.9
