from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from framesift.training.frame_selector.dataset import SelectorBatches
from framesift.training.frame_selector.measures import measured
from framesift.training.frame_selector.task import (
    SelectorTask,
    adapt_for_stage_2,
    freeze_for_stage_1,
    merged,
)
from framesift.vlms.load import load_vlm


@pytest.fixture
def ready(begin, questions, features):
    """Returns a task and its batches by values of the recipe that differ."""

    def ready(**changes):
        start, recipe = begin(**changes)
        batches = SelectorBatches(
            questions,
            features,
            start.tokenizer,
            start.network.config,
            recipe=recipe,
            end_id=start.end_id,
            epochs=1,
            answering=True,
        )
        return SelectorTask(start.network, start.last_block, start.vocabulary), batches, recipe

    return ready


@torch.no_grad()
def test_with_all_patches_it_answers_as_the_model_that_it_began_with(ready, questions, features):
    """Llama weights in a Qwen2 model, in two pieces, give the answers that they gave before."""
    task, batches, _ = ready(pooled=8, question_first=False)
    batch = batches.answering([questions[1], questions[3]], None)
    model = load_vlm("tiny").hf
    losses = []
    for i, row in enumerate((questions[1], questions[3])):
        seen = model.base_model.multi_modal_projector(
            features.of(row.video, row.times_seconds).float()
        )
        length = int(batch["lengths"][i])
        embed = model.get_input_embeddings()
        columns = torch.cat(
            [embed(torch.tensor([2])), seen.flatten(0, 1), embed(batch["text"][i, :length])]
        )
        logits = model(inputs_embeds=columns[None]).logits[0, -length - 1 : -1]
        losses.append(cross_entropy(logits, batch["answers"][i, :length]))
    torch.testing.assert_close(
        task(**batch)["loss"], torch.stack(losses).mean(), rtol=1e-3, atol=1e-4
    )


def learning(task):
    return {name.split(".")[1] for name, value in task.named_parameters() if value.requires_grad}


def test_stages_train_what_the_paper_trains(ready):
    task, _, recipe = ready()
    freeze_for_stage_1(task)
    assert learning(task) == {"projector", "query", "head"}
    adapt_for_stage_2(task, recipe)
    assert learning(task) == {"llm", "projector", "query", "head"}
    adapted = {n for n, v in task.network.llm.named_parameters() if v.requires_grad}
    assert all("lora_" in name for name in adapted)
    assert len(adapted) == 2 * 7 * task.network.config.llm["num_hidden_layers"]
    task, _, recipe = ready(projector_in_stage_2=False)
    adapt_for_stage_2(task, recipe)
    assert learning(task) == {"llm", "query", "head"}


@torch.no_grad()
def test_adapters_end_in_the_weights(ready, questions):
    task, batches, recipe = ready()
    names = set(task.network.state_dict())
    adapt_for_stage_2(task, recipe)
    for name, value in task.network.named_parameters():
        if "lora_" in name:
            value.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
    batch = batches.scoring(questions[:3], None)
    task.eval()
    before = task(**batch)["logits"]
    network = merged(task)
    assert set(network.state_dict()) == names
    torch.testing.assert_close(task(**batch)["logits"], before, rtol=1e-3, atol=1e-3)


def test_padding_changes_no_loss(ready, questions):
    task, batches, _ = ready()
    task.eval()
    alone = [task(**batches.scoring([row], None))["loss"] for row in (questions[0], questions[2])]
    both = task(**batches.scoring([questions[0], questions[2]], None))["loss"]
    torch.testing.assert_close(both, torch.stack(alone).mean(), rtol=1e-4, atol=1e-5)


def test_it_learns_which_frames_are_bright(ready, questions):
    task, batches, _ = ready()
    freeze_for_stage_1(task)
    rate = torch.optim.Adam([v for v in task.parameters() if v.requires_grad], lr=3e-3)
    before = measured(task, batches, questions)
    for _ in range(12):
        loss = task(**batches.scoring(questions[:12], None))["loss"]
        rate.zero_grad()
        loss.backward()
        rate.step()
    after = measured(task, batches, questions)
    assert after["loss"] < 0.7 * before["loss"]
    assert after["picked"] > before["any"] == after["any"]
    assert after["best"] == pytest.approx(0.25)
    first = [replace(row, labels=row.labels) for row in questions[:1]]
    assert measured(task, batches, first)["gain"] == 0.0  # four of four frames are all frames
