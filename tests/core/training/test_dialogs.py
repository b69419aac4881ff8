import itertools
import random
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from framesift.testing import assert_near, compressed, random_frames
from framesift.training.course_labels import COURSE, MEASURED
from framesift.training.dialogs import MOST_QUESTIONS, Dropping
from framesift.training.language_stage import AnswerTask
from framesift.training.packing import IGNORED_LABEL, rounded, seen_columns
from framesift.training.seen import numbered
from framesift.types.plan import TokenPlan
from framesift.vlms.base import Turn
from packed_dialogs import FACTS, dialogs_of, noise, row_of, seen

PATCHES = 64
ALL = Dropping(kind="none")
DROPPINGS = {
    "none": ALL,
    "tokens": Dropping(kind="tokens", keep=0.3),
    "frames": Dropping(kind="frames", keep=0.5),
    "still": Dropping(kind="still", keep=0.6),
    "compact": Dropping(kind="tokens", keep=0.4, compact=True),
}


@dataclass(frozen=True)
class Exchange:
    """One question and its answer, as columns of the text."""

    question: str
    answer: str
    start: int
    answer_start: int
    end: int


@pytest.fixture(scope="module")
def tokens(vlm):
    """Two clips of three frames and of two, as the tower sees them."""
    return [vlm.encoder.encode(random_frames(count, (128, 128), seed=count)) for count in (3, 2)]


@pytest.fixture(scope="module")
def clips(tokens):
    return [
        seen(tokens[0].signals.pre_projector),
        seen(tokens[1].signals.pre_projector, FACTS[:2]),
    ]


@pytest.fixture(scope="module")
def dialogs(clips, vlm, special):
    return dialogs_of(clips, vlm.tokenizer, special)


@pytest.fixture(scope="module")
def task(vlm, special):
    return AnswerTask(vlm.hf, special["user"]).eval()


def exchanges(row, tokenizer, special):
    """Returns what was asked and answered in a row, read off its text."""
    found, start, text = [], 0, row.text.tolist()
    while start < len(text):
        answer_start = text.index(special["assistant"], start) + 1
        end = text.index(special["end"], answer_start) + 1
        asked = text[start : answer_start - 2]
        found.append(
            Exchange(
                question=tokenizer.decode(asked, skip_special_tokens=True),
                answer=tokenizer.decode(text[answer_start : end - 1]),
                start=start,
                answer_start=answer_start,
                end=end,
            )
        )
        start = end
    return found


@torch.no_grad()
def logits_of(task, batch):
    """Returns the logits of a batch at every column, as the model of a task gives them."""
    embed = task.language_model.get_input_embeddings()
    user = embed(torch.full((len(batch["text"]), 1), task.user_id))
    prompt = torch.cat([user, task.projector(batch["features"]), embed(batch["text"])], dim=1)
    hidden = task.language_model(
        inputs_embeds=prompt,
        attention_mask=seen_columns(batch["parts"]),
        position_ids=batch["positions"],
        use_cache=False,
    ).last_hidden_state
    return torch.nn.functional.linear(hidden, embed.weight)


@torch.no_grad()
def asked_alone(vlm, prompt, answer):
    """Returns the logits of the answer's columns, asked by the model's own `forward`."""
    inputs = prompt.inputs()
    count = len(answer)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer[None]], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    last = int(prompt.position_ids[-1])
    inputs["position_ids"] = torch.cat(
        [inputs["position_ids"], last + 1 + torch.arange(count)[None]], dim=1
    )
    return vlm.hf(**inputs).logits[0, -count - 1 : -1], inputs


def prompt_of(vlm, tokens, row, turns, *, positions="original"):
    """Returns the prompt that is made outside of training for the kept tokens of a row."""
    kept = row.places - 1
    if positions == "compact":
        flat = tokens.signals.pre_projector.flatten(0, 1)
        kept = torch.stack([(flat == one).all(1).nonzero()[0, 0] for one in row.features])
    plan = TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=PATCHES)
    first, *rest = turns
    video = compressed(tokens, plan)
    asked = [Turn(role="user", text=first, videos=(video,))]
    asked += [
        Turn(role=role, text=text)
        for role, text in zip(itertools.cycle(["assistant", "user"]), rest, strict=False)
    ]
    return vlm.prompt(asked, positions=positions)


def test_a_batch_has_one_width_and_says_what_is_asked(dialogs, clips, vlm, special):
    batch = dialogs.batch(clips, ALL, random.Random(0))
    kept, length = 3 * PATCHES, batch["text"].shape[1]
    whole = 1 + kept + length
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "features": (2, kept, 32),
        "text": (2, length),
        "labels": (2, length),
        "positions": (2, whole),
        "parts": (2, whole),
        **dict.fromkeys(COURSE, (2, kept)),
        **dict.fromkeys(MEASURED, (2, kept, 2)),
    }
    assert (batch["parts"].dtype, batch["text"].dtype) == (torch.int64, torch.int64)
    for number, facts in enumerate((FACTS, FACTS[:2])):
        row = row_of(batch, number, special)
        found = exchanges(row, vlm.tokenizer, special)
        assert sorted((one.question, one.answer) for one in found) == sorted(facts)
        answers = torch.full_like(row.labels, IGNORED_LABEL)
        for one in found:
            answers[one.answer_start : one.end] = row.text[one.answer_start : one.end]
        assert torch.equal(row.labels, answers)
    assert torch.all(batch["labels"][batch["text"] == special["pad"]] == IGNORED_LABEL)
    assert torch.all(batch["features"][1, 2 * PATCHES :] == 0)


def test_no_column_is_blind_and_none_sees_padding_or_the_future(dialogs, clips, special):
    batch = dialogs.batch(clips, ALL, random.Random(0))
    mask = seen_columns(batch["parts"])[:, 0]
    assert mask.any(-1).all()
    assert not mask.triu(1).any()
    for number in range(2):
        columns = row_of(batch, number, special).columns
        padding = torch.ones(mask.shape[1], dtype=torch.bool)
        padding[columns] = False
        assert padding.any() or number == 0
        assert not mask[number][columns][:, padding].any()


@pytest.mark.parametrize("dropping", DROPPINGS.values(), ids=DROPPINGS)
def test_a_packed_question_is_the_one_that_is_asked_outside_of_training(
    dropping, dialogs, clips, tokens, vlm, task, special
):
    batch = dialogs.batch(clips, dropping, random.Random(1))
    packed = logits_of(task, batch)
    kept = batch["features"].shape[1]
    for number in range(2):
        row = row_of(batch, number, special)
        for one in exchanges(row, vlm.tokenizer, special):
            prompt = prompt_of(
                vlm,
                tokens[number],
                row,
                [one.question],
                positions="compact" if dropping.compact else "original",
            )
            asked = slice(one.start, one.answer_start)
            visual = len(row.places)
            assert prompt.input_ids[1 + visual :].tolist() == row.text[asked].tolist()
            told = torch.cat([row.positions[: 1 + visual], row.positions[1 + visual :][asked]])
            assert torch.equal(prompt.position_ids, told)
            answer = row.text[one.answer_start : one.end]
            alone, _ = asked_alone(vlm, prompt, answer)
            start = kept + one.answer_start
            found = packed[number, start : start + len(answer)]
            assert_near(found, alone)


def test_a_chat_is_a_plain_conversation(dialogs, clips, tokens, vlm, task, special):
    batch = dialogs.batch(clips, Dropping(kind="tokens", keep=0.5, chat=True), random.Random(2))
    packed = logits_of(task, batch)
    kept = batch["features"].shape[1]
    for number in range(2):
        row = row_of(batch, number, special)
        *before, last = exchanges(row, vlm.tokenizer, special)
        assert before
        turns = [text for one in before for text in (one.question, one.answer)]
        prompt = prompt_of(vlm, tokens[number], row, [*turns, last.question])
        visual = len(row.places)
        expected = row.text[: last.answer_start]
        assert prompt.input_ids[1 + visual :].tolist() == expected.tolist()
        assert torch.equal(prompt.position_ids, row.positions[: 1 + visual + last.answer_start])
        answer = row.text[last.answer_start : last.end]
        alone, _ = asked_alone(vlm, prompt, answer)
        start = kept + last.answer_start
        assert_near(packed[number, start : start + len(answer)], alone)


def test_the_loss_is_that_of_the_model_over_the_answer(clips, tokens, vlm, task, special):
    alone = seen(clips[0].features, FACTS[:1])
    dialogs = dialogs_of([alone], vlm.tokenizer, special, size=1)
    batch = dialogs.batch([alone], Dropping(kind="tokens", keep=0.3), random.Random(3))
    row = row_of(batch, 0, special)
    (one,) = exchanges(row, vlm.tokenizer, special)
    answer = row.text[one.answer_start : one.end]
    _, inputs = asked_alone(vlm, prompt_of(vlm, tokens[0], row, [one.question]), answer)
    labels = torch.full_like(inputs["input_ids"], IGNORED_LABEL)
    labels[0, -len(answer) :] = answer
    with torch.no_grad():
        expected = vlm.hf(**inputs, labels=labels)
        found = task(**batch)
    assert_near(found["loss"], expected.loss)
    guess = expected.logits[0, -len(row.text) - 1 : -1].argmax(-1)
    assert torch.equal(found["guess"][0, -len(row.text) + 1 :], guess[1:])


def test_each_question_starts_right_behind_the_video(dialogs, clips, vlm, special):
    row = row_of(dialogs.batch(clips, ALL, random.Random(0)), 0, special)
    places = row.positions[1 + len(row.places) :]
    for one in exchanges(row, vlm.tokenizer, special):
        count = one.end - one.start
        expected = 1 + 3 * PATCHES + torch.arange(count)
        assert torch.equal(places[one.start : one.end], expected)


def test_only_some_of_many_questions_are_asked(dialogs, vlm, special):
    facts = [(f"What is number {number}?", str(number)) for number in range(30)]
    clip = seen(noise(1), facts)
    row = row_of(dialogs.batch([clip], ALL, random.Random(0)), 0, special)
    found = exchanges(row, vlm.tokenizer, special)
    assert len({one.question for one in found}) == MOST_QUESTIONS
    assert all(one.question == f"What is number {one.answer}?" for one in found)


def test_a_known_question_is_asked_in_other_words(dialogs, vlm, special):
    facts = [("What is the text in the corner?", "K7")]
    clip = seen(noise(1), facts)
    ways: set[Any] = set()
    for seed in range(12):
        row = row_of(dialogs.batch([clip], ALL, random.Random(seed)), 0, special)
        (one,) = exchanges(row, vlm.tokenizer, special)
        assert "corner" in one.question
        ways.add(one.question)
    assert len(ways) > 2


def test_tokens_by_number_and_padding_to_few_lengths_change_no_loss(clips, vlm, task, special):
    dropping, losses = DROPPINGS["still"], []
    named, tokens = numbered(clips)
    assert {clip.features.dtype for clip in named} == {torch.int32}
    by_number = AnswerTask(vlm.hf, special["user"], tokens).eval()
    by_number.course.load_state_dict(task.course.state_dict())
    for some, reader in ((clips, task), (named, by_number)):
        batch = dialogs_of(some, vlm.tokenizer, special).batch(some, dropping, random.Random(5))
        wide = rounded(batch, special["pad"], round_to=48)
        kept = wide["features"].shape[1]
        assert kept % 48 == wide["positions"].shape[1] % 48 == 0
        assert wide["positions"].shape == wide["parts"].shape
        assert wide["positions"].shape[1] == 1 + kept + wide["text"].shape[1]
        with torch.no_grad():
            losses += [reader(**batch)["loss"], reader(**wide)["loss"]]
    for loss in losses[1:]:
        assert_near(loss, losses[0])
