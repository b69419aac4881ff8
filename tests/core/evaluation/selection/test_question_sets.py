import json
from collections import Counter

import pytest

from framesift.errors import InvalidOptionError
from framesift.evaluation.selection.question_sets import (
    LENGTHS,
    TRAINED_LENGTHS,
    brief_videos,
    write_questions,
)
from framesift.sources.base import open_video


@pytest.fixture(scope="module")
def tests():
    return list(brief_videos("test", 25, 32))


@pytest.fixture(scope="module")
def training():
    return list(brief_videos("train", 25))


def questions_of(videos):
    return [question for video in videos for question in video.questions]


def test_splits_share_no_video(tests, training):
    assert not {video.uri.split("seed=")[1] for video in tests} & {
        video.uri.split("seed=")[1] for video in training
    }


def test_training_is_asked_in_some_wordings_and_a_test_in_all(tests, training):
    assert {question.wording for question in questions_of(training)} == {"trained"}
    counted = Counter(question.wording for question in questions_of(tests))
    assert 0.25 < counted["unseen"] / counted.total() < 0.6


def test_unseen_wordings_are_in_no_question_of_the_training(tests):
    trained = {q.text for q in questions_of(brief_videos("train", 150))}
    unseen = [q.text for q in questions_of(tests) if q.wording == "unseen"]
    assert not set(unseen) & trained


def test_a_local_question_is_about_a_moment_and_a_global_one_about_more(tests):
    scopes = Counter()
    for question in questions_of(tests):
        scopes[question.scope] += 1
        if question.scope == "local":
            assert question.end_seconds - question.start_seconds <= 3
    assert scopes["local"] > scopes["global"] > 0


def test_a_longer_test_asks_the_same_in_the_same_words():
    for short, long in zip(*(brief_videos("test", 3, s) for s in (LENGTHS[0], 128)), strict=True):
        assert short.name == long.name
        assert [(q.id, q.text, q.answer, q.scope) for q in short.questions] == [
            (q.id, q.text, q.answer, q.scope) for q in long.questions
        ]


def test_the_file_holds_what_labeling_reads(tmp_path, training):
    count = write_questions(tmp_path / "questions.jsonl", "train", 25)
    lines = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_text().splitlines()]
    assert len(lines) == count == len(questions_of(training))
    assert [line["question"] for line in lines] == [q.text for q in questions_of(training)]
    assert {f"seconds={seconds}&" in line["video"] for line in lines for seconds in [16]} == {
        True,
        False,
    }
    assert {video.seconds for video in training} <= set(TRAINED_LENGTHS)


def test_answers_are_those_of_the_video(training):
    with open_video(training[0].uri, text_only=True) as video:
        known = [(q["answer"], q["start_seconds"]) for q in video.truth["questions"]]
    assert known == [(q.answer, q.start_seconds) for q in training[0].questions]


def test_replies_are_compared_but_for_case_and_a_full_stop(training):
    question = next(q for q in training[0].questions if q.kind == "color")
    assert question.is_right(f" {question.answer.upper()}.")
    assert not question.is_right(f"{question.answer} {question.answer}")


@pytest.mark.parametrize(("split", "count"), [("exam", 2), ("test", 0)])
def test_a_wrong_request_names_what_is_allowed(split, count):
    with pytest.raises(InvalidOptionError, match=r"must be"):
        brief_videos(split, count)
