"""Lessons in reading: lines stand once beside a clip, and every question about it sees them."""

import itertools
import random
from dataclasses import replace

import pytest
import torch

from framesift.answering.video_text import before_question
from framesift.synthetic.replies import NOT_SHOWN
from framesift.testing import compressed, random_frames
from framesift.training.dialogs import Dialogs, Dropping
from framesift.training.packing import IGNORED_LABEL, VIDEO, seen_columns
from framesift.training.reading import page_address, page_lesson, with_lines
from framesift.types.plan import TokenPlan
from framesift.vlms.base import Turn
from packed_dialogs import FACTS, dialogs_of, noise, row_of, seen

LINES = "On the screen:\n[00:00 - 00:02] Budget\nOwner: Mira"
EVENT = {
    "kind": "number",
    "start_seconds": 1.0,
    "end_seconds": 2.0,
    "box": [0, 0, 1, 1],
    "attributes": {"number": 42, "color": "red"},
}


@pytest.mark.parametrize("chat", [False, True])
def test_a_packed_question_stands_where_it_does_outside_of_training(vlm, special, chat):
    tokens = vlm.encoder.encode(random_frames(2, (128, 128), seed=0))
    clip = replace(seen(tokens.signals.pre_projector), text=LINES)
    dialogs = Dialogs([clip], vlm.tokenizer, special, size=1, seed=0, glimpses_first=0)
    batch = dialogs.batch([clip], Dropping(kind="none", chat=chat), random.Random(0))
    row = row_of(batch, 0, special)
    whole = TokenPlan.keep(torch.arange(tokens.count), num_in=tokens.count, tokens_per_frame=64)
    video = compressed(tokens, whole)
    lines = len(vlm.tokenizer(before_question(LINES)).input_ids)
    assert torch.all(row.labels[:lines] == IGNORED_LABEL)
    ends = (row.text == special["end"]).nonzero().flatten().tolist()
    starts = [lines, *(end + 1 for end in ends[1::2])][: len(FACTS)]
    for number, (start, end) in enumerate(zip(starts, ends[::2], strict=True)):
        if chat and number:
            continue
        asked = vlm.tokenizer.decode(row.text[start:end])
        turn = Turn(role="user", text=asked, videos=(video,), beside=before_question(LINES))
        prompt = vlm.prompt([turn])
        first = 1 + tokens.count
        own = torch.cat([torch.arange(first + lines), first + torch.arange(start, end + 2)])
        ids = torch.cat([row.text[:lines], row.text[start : end + 2]])
        assert torch.equal(prompt.input_ids[first:], ids)
        assert torch.equal(prompt.position_ids, row.positions[own])
        columns = row.columns[own]
        sees = seen_columns(batch["parts"])[0, 0][columns][:, columns]
        assert torch.equal(sees, torch.ones_like(sees).tril())


def test_questions_of_one_clip_see_the_lines_and_not_each_other(vlm, special):
    clip = replace(seen(noise(2)), text=LINES)
    dialogs = Dialogs([clip], vlm.tokenizer, special, size=1, seed=0, glimpses_first=0)
    parts = dialogs.batch([clip], Dropping(kind="none"), random.Random(0))["parts"][0]
    lines = len(vlm.tokenizer(before_question(LINES)).input_ids)
    visual = 1 + clip.features.shape[0] * clip.features.shape[1]
    assert torch.all(parts[: visual + lines] == VIDEO)
    assert set(parts[visual + lines :].tolist()) == {1, 2, 3}


def test_a_clip_may_have_its_own_texts_beside_it():
    clip = replace(seen(noise(3)), events=[EVENT])
    texts = {with_lines(clip, random.Random(seed)).text for seed in range(40)}
    with_number = [text for text in texts if "[00:01 - 00:02] 42" in text]
    assert 0 < len(with_number) < len(texts)
    assert any("Said:" in text for text in texts)
    assert "" not in texts


def test_a_lesson_about_pages_has_few_frames_and_an_answer_only_with_its_lines():
    slides = seen(noise(9), ())
    lessons = [page_lesson(slides, random.Random(seed)) for seed in range(80)]
    assert {len(lesson.features) for lesson in lessons} >= {1, 2, 3, 8}
    bare = sum(not lesson.text for lesson in lessons)
    assert 0 < bare < len(lessons) / 4
    for lesson in lessons:
        assert len(lesson.times_seconds) == len(lesson.features)
        answers = {question["answer"] for question in lesson.questions}
        assert lesson.text or answers == {NOT_SHOWN}
        assert not lesson.text or answers != {NOT_SHOWN}


def test_batches_without_slides_are_as_before(vlm, special):
    clips = [seen(noise(count, seed=count)) for count in (2, 3)]

    def drawn(**options):
        dialogs = dialogs_of(clips, vlm.tokenizer, special, **options)
        return list(itertools.islice(dialogs, 6))

    with_slides = drawn(slides=[seen(noise(4, seed=9), ())])
    assert all(
        torch.equal(one["text"], other["text"]) for one, other in zip(drawn(), drawn(), strict=True)
    )
    words = [vlm.tokenizer.decode(row) for batch in with_slides for row in batch["text"]]
    assert any("On the screen:" in row for row in words)
    assert not any(
        "On the screen:" in vlm.tokenizer.decode(row) for batch in drawn() for row in batch["text"]
    )


def test_slides_are_drawn_from_their_own_seeds():
    addresses = {page_address(seed)[0] for seed in range(20)}
    assert len(addresses) == 20
    assert all(address.startswith("synthetic://text?seconds=") for address in addresses)
