"""Medleys of cards from several clips: which of the numbers is asked for can be told."""

import itertools
import random

import pytest
import torch

from framesift.training.cards import HOW_MANY, Cards
from framesift.training.seen import Seen
from packed_dialogs import dialogs_of, noise

COLORS = ("red", "blue", "green", "white", "pink")


def clip_of(number, *, color, frame, frames=4):
    """Returns a clip whose card is seen in one frame only."""
    asked = {
        "question": f"Which number is on the {color} card?",
        "answer": str(number),
        "kind": "number",
        "start_seconds": float(frame),
        "end_seconds": frame + 1.0,
    }
    other = {**asked, "question": "What is the text in the corner?", "kind": "text"}
    return Seen(
        features=noise(frames, seed=number),
        times_seconds=tuple(map(float, range(frames))),
        questions=[other, asked],
    )


@pytest.fixture(scope="module")
def clips():
    return [clip_of(number, color=COLORS[number % 5], frame=number % 4) for number in range(10, 30)]


def test_each_frame_is_of_another_color_and_shows_what_is_asked(clips):
    cards, counts = Cards(clips), set()
    for seed in range(60):
        medley = cards.medley(random.Random(seed))
        counts.add(len(medley.features))
        colors = [asked["question"].split()[-2] for asked in medley.questions]
        assert len(set(colors)) == len(colors) == len(medley.features) == len(medley.times_seconds)
        for frame, asked in zip(medley.features, medley.questions, strict=True):
            number = int(asked["answer"])
            assert torch.equal(frame, noise(4, seed=number)[number % 4])
    assert counts == set(HOW_MANY)


def test_no_more_cards_are_shown_than_there_are_colors(clips):
    two = [clip for clip in clips if clip.questions[1]["question"].split()[-2] in COLORS[:2]]
    assert {len(Cards(two).medley(random.Random(seed)).features) for seed in range(9)} == {2}


def test_a_card_that_no_sampled_frame_shows_is_left_out(clips):
    unseen = clip_of(99, color="orange", frame=40)
    assert "orange" not in Cards([*clips, unseen]).colors


def test_batches_are_of_cards_where_colors_can_be_told_apart(clips, processor, special):
    dialogs = dialogs_of(clips, processor.tokenizer, special, size=1, share_of_cards=1.0)
    for batch in itertools.islice(dialogs, 8):
        seen_in = (batch["positions"].shape[1] - batch["text"].shape[1] - 1) / 9
        assert seen_in in HOW_MANY


def test_one_card_alone_makes_no_medley(clips, processor, special, monkeypatch):
    monkeypatch.setattr(Cards, "medley", lambda self, rng: pytest.fail("a medley of one card"))
    dialogs = dialogs_of(clips[:1], processor.tokenizer, special, size=1, share_of_cards=1.0)
    assert len(list(itertools.islice(dialogs, 4))) == 4
