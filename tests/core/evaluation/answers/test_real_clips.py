import json

import pytest

from framesift.errors import InvalidOptionError, UnsupportedSourceError
from framesift.evaluation.answers.real_clips import (
    RealQuestion,
    checked_clips,
    known_clips,
    read_questions,
)


def asked(**changes):
    facts = {
        "id": "car-1",
        "clip": "car.mp4",
        "question": "What color is the car?",
        "choices": ["red", "blue"],
        "answer": "blue",
        "start_seconds": 1.0,
        "end_seconds": 2.5,
        "box": (0.0, 0.0, 1.0, 1.0),
    }
    return RealQuestion(**{**facts, **changes})


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
