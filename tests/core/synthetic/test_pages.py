"""Pages of text with questions that only who reads them can answer."""

import random
from itertools import pairwise

import pytest

from framesift.synthetic.pages import pages
from framesift.synthetic.replies import NOT_SHOWN
from framesift.types.video import WHOLE

SECONDS = 12.0
DRAWN = [pages(SECONDS, random.Random(seed)) for seed in range(60)]


def test_pages_follow_one_another_over_the_whole_video():
    for drawn in DRAWN:
        spans = {(line.start_seconds, line.end_seconds) for line in drawn.lines}
        spans = sorted(spans - {(0.0, SECONDS)}) or [(0.0, SECONDS)]
        assert (spans[0][0], spans[-1][1]) == (0.0, SECONDS)
        assert all(before[1] == after[0] for before, after in pairwise(spans))
        assert {line.box for line in drawn.lines} == {WHOLE}


def test_what_is_asked_stands_on_the_pages_unless_it_is_not_shown():
    answers = [q["answer"] for drawn in DRAWN for q in drawn.questions]
    assert 0.02 < answers.count(NOT_SHOWN) / len(answers) < 0.25
    for drawn in DRAWN:
        text = "\n".join(line.text for line in drawn.lines)
        for question in drawn.questions:
            answer = question["answer"]
            is_count = len(answer) == 1
            if answer != NOT_SHOWN and not is_count:
                assert all(part in text for part in answer.split(", ")), question


def test_the_same_seed_gives_the_same_pages_and_others_other_names():
    assert pages(SECONDS, random.Random(3)) == DRAWN[3]
    titles = {drawn.lines[0].text for drawn in DRAWN}
    assert len(titles) > len(DRAWN) / 2


@pytest.mark.parametrize("words", ["Who owns", "corner", "slide"])
def test_questions_are_asked_in_many_ways(words):
    asked = {q["question"] for drawn in DRAWN for q in drawn.questions if words in q["question"]}
    assert len(asked) > 5
