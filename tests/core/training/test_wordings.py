import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import framesift
import held_out_wordings
from framesift.synthetic.inventory import NAMES, WHETHER
from framesift.synthetic.paraphrases import PARAPHRASES, pattern_of
from framesift.synthetic.stray_words import MARK, STRAY, strayed
from framesift.synthetic.unanswerable import PEOPLE, THINGS, unanswerable
from framesift.synthetic.wordings import KNOWN, loosened, worded, wordings
from framesift.training.clips import SHARES

FEWEST = 40
ALL_HELD_OUT = (
    held_out_wordings.QUESTIONS,
    held_out_wordings.YES_OR_NO,
    held_out_wordings.LATER_QUESTIONS,
    held_out_wordings.LATER_YES_OR_NO,
)
SAME = {"what's": "what is", "whats": "what is", "where's": "where is", "colour": "color"}


def plain(words):
    """Returns the words alone: no case, no marks, no names, one spelling."""
    words = re.sub(r"\{\w+\}", "#", words.casefold())
    for short, long in SAME.items():
        words = re.sub(rf"\b{short}\b", long, words)
    return " ".join(re.findall(r"[\w#]+", words))


@pytest.fixture(scope="module")
def drawn():
    """What training draws of each pattern, without case, marks and names."""
    return {pattern: {plain(way) for way in wordings(pattern)} for pattern in KNOWN}


@pytest.fixture(scope="module")
def asked(truth_of):
    return [q for name in SHARES for seed in range(8) for q in truth_of(name, seed)["questions"]]


def held_out():
    for ways in ALL_HELD_OUT:
        for form, words in ways.items():
            for each in words:
                yield form, plain(each)


@pytest.mark.slow
def test_each_kind_of_question_has_forty_wordings_and_more(drawn):
    assert set(PARAPHRASES) <= set(KNOWN)
    assert {pattern: len(ways) for pattern, ways in drawn.items() if len(ways) < FEWEST} == {}


def test_every_way_is_one_sentence_with_all_its_names():
    for pattern in KNOWN:
        names = set(re.findall(r"\?P<(\w+)>", pattern))
        for way in wordings(pattern):
            assert re.fullmatch(r"[A-Z{][^\[\]<>|%]*[^ ,][?.]", way), way
            assert "  " not in way
            assert set(re.findall(r"\{(\w+)\}", way)) == names, way


def test_twenty_wordings_and_more_are_held_out_for_questions_that_training_asks():
    forms, known = ({held_out_wordings.form_of(p) for p in part} for part in (PARAPHRASES, KNOWN))
    for questions in (held_out_wordings.QUESTIONS, held_out_wordings.LATER_QUESTIONS):
        assert set(questions) == forms
        assert sum(map(len, questions.values())) >= 20
    assert set(held_out_wordings.YES_OR_NO) == set(held_out_wordings.LATER_YES_OR_NO) <= known
    for ways in ALL_HELD_OUT:
        for form, words in ways.items():
            names = Counter(re.findall(r"\{\w+\}", form))
            assert all(Counter(re.findall(r"\{\w+\}", each)) == names for each in words), form


def test_no_held_out_wording_is_drawn_for_training_or_is_part_of_one(drawn):
    seen = "\n".join(f" {way} " for ways in drawn.values() for way in ways)
    seen += "\n".join(f" {plain(way)} " for ways in PARAPHRASES.values() for way in ways)
    assert [words for _, words in held_out() if f" {words} " in seen] == []


def test_no_held_out_question_without_an_answer_is_drawn_for_training():
    rng = random.Random(0)
    seen = {plain(unanswerable(rng)) for _ in range(20_000)}
    assert not seen & set(map(plain, held_out_wordings.NOT_SHOWN))
    names = {word for name in held_out_wordings.NEVER_THERE for word in name.split()[1:]}
    assert not names & {*PEOPLE, *THINGS}


def test_training_never_reads_what_is_held_out():
    sources = Path(framesift.__file__).parent.rglob("*.py")
    assert not [path for path in sources if "held_out" + "_wordings" in path.read_text("utf-8")]


def test_a_wording_holds_what_its_question_names(asked):
    rng = random.Random(0)
    for question in asked:
        pattern, parts = pattern_of(question["question"], KNOWN)
        assert pattern in KNOWN, question["question"]
        for _ in range(4):
            words = worded(question["question"], rng).casefold()
            assert all(part.casefold() in words for part in parts.values())


@pytest.mark.slow
def test_two_questions_of_a_video_are_never_asked_alike(truth_of, drawn):
    for name in SHARES:
        answers = defaultdict(set)
        for question in truth_of(name, 3)["questions"]:
            pattern, parts = pattern_of(question["question"], KNOWN)
            for way in wordings(pattern):
                answers[plain(way.format(**parts))].add(question["answer"])
        assert [words for words, found in answers.items() if len(found) > 1] == []


def test_the_things_of_an_order_stay_in_their_order():
    rng = random.Random(0)
    for _ in range(300):
        words = worded("What happens first: a red star appears, or a blue circle rises up?", rng)
        assert words.casefold().index("red star") < words.casefold().index("blue circle")


def test_some_are_typed_in_a_hurry_but_names_are_not():
    rng = random.Random(0)
    ways = [
        loosened("What is the color of the red star?", rng, kept="red star") for _ in range(900)
    ]
    assert all("red star" in way for way in ways)
    assert any(way[-1] != "?" for way in ways)
    assert any(way.islower() or way.rstrip("?").islower() for way in ways)
    assert any("hat's" in way for way in ways)
    assert any("whats" in way for way in ways)
    words = {word for way in ways for word in re.findall(r"[a-z']+", way.casefold())}
    assert words - {"what", "is", "what's", "whats", "the", "color", "of", "red", "star"}


def test_small_words_may_be_missing_and_empty_ones_stand_between():
    rng = random.Random(0)
    ways = {loosened("What is the color of the star?", rng, kept="star") for _ in range(3000)}
    assert "What color star?" in ways
    assert {"What is just the color of the star?", "What is the color of the star actually?"} & {
        way.replace("star? actually", "star actually?") for way in ways
    }
    assert all("color" in way or "star" in way for way in ways)


def test_a_question_that_is_not_known_is_asked_as_it_is():
    question = "Why is the {color} sky blue?"
    assert worded(question, random.Random(0)) == question


def test_wordings_follow_the_seed():
    one, other = (
        [worded("What color is the star?", random.Random(seed)) for seed in range(30)]
        for _ in range(2)
    )
    assert one == other
    assert len(set(one)) > 20


def test_every_question_of_yes_and_no_is_known():
    for kind, question in WHETHER.items():
        named = {"other": "a car", "movement": "star"}.get(kind) or NAMES.get(kind, [""])[0]
        assert pattern_of(question.format(named), KNOWN)[0] in KNOWN
        assert pattern_of(question.format(named))[0] in PARAPHRASES or kind != "thing"


def test_words_stray_around_the_names_of_things():
    rng, seen = random.Random(0), Counter()
    known = {*STRAY, "was", "the", "night", "sky:", "there", "a", "4"}
    for _ in range(400):
        words = strayed("was the night sky: there a 4", rng, small=("was", "a"), kept=["night sky"])
        assert "night sky:" in words
        assert MARK not in words
        seen["strange"] += not set(words.split()) <= known
        seen["same"] += words == "was the night sky: there a 4"
        seen["the"] += "the" in words.split()
    assert seen["strange"] == 0
    assert 20 < seen["same"] < 200
    assert 340 < seen["the"] < 400
