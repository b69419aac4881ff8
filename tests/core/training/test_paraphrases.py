import random
import re
from collections import defaultdict

import pytest

from framesift.synthetic.backdrops import LANDSCAPES
from framesift.synthetic.paraphrases import PARAPHRASES, phrasings, rephrased
from framesift.synthetic.pixels import COLORS, SHAPES
from framesift.training.clips import SHARES

SEEDS = range(12)
ENDS = ("first", "last", "beginning", "end")
ORDER = "What happens first: "


@pytest.fixture(scope="module")
def asked(truth_of):
    """The questions of each scene, one list for each seed."""
    return {name: [truth_of(name, seed)["questions"] for seed in SEEDS] for name in SHARES}


def facts_of(question):
    """Returns the words of a question that an answer depends on."""
    if question.startswith(ORDER):
        return question.removeprefix(ORDER).removesuffix("?").split(", or ")
    words = [*COLORS, *SHAPES, *LANDSCAPES, *ENDS]
    return [word for word in words if re.search(rf"\b{word}\b", question)]


@pytest.mark.parametrize("name", SHARES)
def test_each_question_can_be_asked_in_three_ways_or_more(name, asked):
    for questions in asked[name]:
        assert questions
        for question in questions:
            ways = phrasings(question["question"])
            assert question["question"] in ways
            assert len(set(ways)) == len(ways) >= 3
            assert all(re.fullmatch(r"[A-Z][^{}]*[?.]", way) for way in ways)


@pytest.mark.parametrize("name", SHARES)
def test_each_way_holds_the_facts_of_the_question(name, asked):
    found = 0
    for questions in asked[name]:
        for question in questions:
            facts = facts_of(question["question"])
            found += len(facts)
            for way in phrasings(question["question"]):
                places = [way.find(fact) for fact in facts]
                assert -1 not in places, way
                assert places == sorted(places) or not way.startswith(ORDER)
    assert found or name in ("number", "static")


@pytest.mark.parametrize("name", SHARES)
def test_two_questions_of_a_video_are_never_asked_alike(name, asked):
    for questions in asked[name]:
        answers = defaultdict(set)
        for question in questions:
            for way in phrasings(question["question"]):
                answers[way].add(question["answer"])
        assert all(len(found) == 1 for found in answers.values())


def test_the_things_of_an_order_stay_in_their_order():
    question = "What happens first: a red star appears, or an orange circle falls down?"
    ways = phrasings(question)
    assert len(ways) > 3
    for way in ways:
        assert way.index("a red star appears") < way.index("an orange circle falls down")


def test_every_pattern_is_of_use(asked):
    questions = [q["question"] for lists in asked.values() for each in lists for q in each]
    for pattern in PARAPHRASES:
        assert any(re.fullmatch(pattern, question) for question in questions), pattern


def test_an_unknown_question_is_asked_as_it_is():
    question = "Why is the {color} sky blue?"
    assert phrasings(question) == [question]
    assert rephrased(question, random.Random(0)) == question


def test_lots_are_drawn_over_all_ways():
    question = "What is the text in the corner?"
    rng = random.Random(0)
    assert {rephrased(question, rng) for _ in range(200)} == set(phrasings(question))
    drawn = [[rephrased(question, random.Random(seed)) for seed in range(20)] for _ in range(2)]
    assert drawn[0] == drawn[1]
