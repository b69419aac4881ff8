import json

import numpy as np
import pytest
import torch

from framesift.errors import InvalidOptionError, UnsupportedSourceError
from framesift.evaluation import _bench_evidence
from framesift.evaluation._bench_evidence import Clip, evidence_held, patches_in
from framesift.evaluation.real_clips import (
    RealQuestion,
    checked_clips,
    known_clips,
    read_questions,
)
from framesift.strategies.base import create_strategy
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

WHOLE = (0.0, 0.0, 1.0, 1.0)


def asked(**changes):
    facts = {
        "id": "car-1",
        "clip": "car.mp4",
        "question": "What color is the car?",
        "choices": ["red", "blue"],
        "answer": "blue",
        "start_seconds": 1.0,
        "end_seconds": 2.5,
        "box": WHOLE,
    }
    return RealQuestion(**{**facts, **changes})


def still(frames=4, grid=(2, 2)):
    features = torch.arange(1.0, frames * grid[0] * grid[1] + 1).view(frames, -1, 1)
    times = torch.arange(frames, dtype=torch.float64)
    return VideoTokens(features=features, grid=grid, pts_seconds=times)


def kept(tokens, *places):
    return TokenPlan.keep(
        torch.tensor(places), num_in=tokens.count, tokens_per_frame=tokens.tokens_per_frame
    )


def test_twenty_questions_come_along_about_the_five_known_clips():
    questions = read_questions()
    assert len(questions) == len({question.id for question in questions}) == 20
    assert {question.clip for question in questions} == known_clips().keys()
    letters = [question.choices.index(question.answer) for question in questions]
    assert max(letters.count(letter) for letter in set(letters)) <= 10


def test_a_question_with_a_missing_field_names_line_and_field(tmp_path):
    good = asked().model_dump_json()
    bad = json.dumps({key: value for key, value in json.loads(good).items() if key != "box"})
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{good}\n{bad}\n")
    with pytest.raises(InvalidOptionError, match=r"line 2: box: Field required"):
        read_questions(path)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"answer": "green"}, "one of the choices"),
        ({"end_seconds": 0.5}, "before end"),
        ({"box": (0.5, 0.0, 0.2, 1.0)}, "within"),
    ],
)
def test_questions_that_contradict_themselves_are_refused(changes, line):
    with pytest.raises(ValueError, match=line):
        asked(**changes)


@pytest.mark.parametrize(
    ("said", "right"),
    [("B", True), ("b) blue", True), ("Blue.", True), ("A", False), ("red", False), ("", False)],
)
def test_answers_count_by_letter_or_by_words(said, right):
    assert asked().is_right(said) is right


def test_a_missing_clip_and_a_changed_one_are_named_with_their_address(tmp_path):
    with pytest.raises(UnsupportedSourceError, match=r"is missing; fetch it from https://"):
        checked_clips(tmp_path, ["rabbit320.mp4"])
    (tmp_path / "rabbit320.mp4").write_bytes(b"something else")
    with pytest.raises(UnsupportedSourceError, match="another file than https://"):
        checked_clips(tmp_path, ["rabbit320.mp4"])


def test_evidence_is_held_by_tokens_of_its_time_and_place_only():
    tokens = still()
    clip, question = Clip(tokens=tokens, region=WHOLE), asked(box=(0.0, 0.0, 0.5, 1.0))
    assert evidence_held(clip, kept(tokens, 0, 2, 5, 7, 12), question) == 0
    assert evidence_held(clip, kept(tokens, 4, 8), question) == 0.5
    assert evidence_held(clip, kept(tokens, 4, 10), question) == 1
    everything = create_strategy("uniform").plan(tokens, tokens.count)
    assert evidence_held(clip, everything, question) == 1


def test_a_moment_between_two_frames_is_that_of_the_nearest():
    tokens = still()
    clip, question = Clip(tokens=tokens, region=WHOLE), asked(start_seconds=1.6, end_seconds=1.8)
    assert evidence_held(clip, kept(tokens, 8, 9, 10, 11), question) == 1


def test_a_box_smaller_than_a_patch_is_the_nearest_patch():
    found = patches_in((0.4, 0.4, 0.45, 0.45), WHOLE, (2, 2))
    assert np.array_equal(found, [[True, False], [False, False]])
    right_half = patches_in((0.6, 0.0, 0.9, 1.0), (0.5, 0.0, 1.0, 1.0), (1, 2))
    assert right_half.tolist() == [[True, True]]


def test_the_interval_of_equal_values_is_that_value_and_the_same_each_time():
    def interval(values):
        return _bench_evidence._row("tokens", "any", values)["interval"]

    assert interval([0.5] * 20) == [0.5, 0.5]
    values = np.linspace(0, 1, 20).tolist()
    low, high = interval(values)
    assert low < 0.5 < high
    assert interval(values) == [low, high]


@pytest.mark.clips
@pytest.mark.slow
def test_the_default_strategy_holds_more_evidence_than_chance(clips):
    found = _bench_evidence.measure(clips, keeps=(0.25,), names=["temporal", "random"])
    share = {row["name"]: row["share"] for row in found["rows"]}
    assert share["temporal 0.25"] > share["random 0.25"]
    assert share["oracle 8"] == 1
    assert share["keyframes 8"] >= share["uniform 8"]
