import json
import random
from collections import Counter

import pytest

import held_out_wordings
from benchmarks.model_card import EARLIER as EARLIER_ROWS
from benchmarks.model_card import NEW, card
from benchmarks.new_wordings import (
    BALANCED,
    EARLIER,
    LATER,
    MISSING_EACH,
    NEVER_EACH,
    WORDING,
    balanced,
    by_wording,
    figures,
    videos,
)
from framesift.evaluation.answers.log import Answered
from framesift.evaluation.answers.question_sets import FIRST_SEEDS, address
from framesift.synthetic.replies import NOT_SHOWN
from framesift.vlms.tiny import FOLDER

SETS = {"later": LATER, "earlier": EARLIER}


@pytest.fixture(scope="module", params=SETS)
def words(request):
    return SETS[request.param]


@pytest.fixture(scope="module")
def asked(words):
    return list(videos(12, words))


def reply(video, kind, expected, said):
    return Answered(
        video=video,
        question=f"0 {kind}{said}{expected}",
        kind=kind,
        strategy="all tokens",
        keep=1.0,
        tokens=1,
        tokens_before=1,
        expected=expected,
        said=said,
        right=said == expected,
    )


def test_videos_are_those_of_the_card(asked):
    seeds = range(FIRST_SEEDS["test"], FIRST_SEEDS["test"] + 12)
    drawn = [address(seed, random.Random(f"questions-{seed}")) for seed in seeds]
    assert [video.uri for video in asked] == drawn


def test_every_question_is_in_held_out_words(asked, words):
    templates = {
        template
        for ways in (words.questions, words.yes_or_no)
        for each in ways.values()
        for template in each
    } | set(held_out_wordings.NOT_SHOWN)
    for video in asked:
        assert len({question.id for question in video.questions}) == len(video.questions)
        for question in video.questions:
            template = question.id.split(" ", 1)[1]
            assert template in templates
            assert "{" not in question.prompt
            assert question.is_right(f"{question.expected.capitalize()}.")
            assert not question.is_right("nonsense")


def test_pairs_ask_for_what_is_there_and_what_is_not_in_the_same_words(asked):
    replies = Counter(
        (q.expected, q.kind.partition(": ")[2])
        for video in asked
        for q in video.questions
        if q.kind.startswith(("yes: ", "no: "))
    )
    kinds = {kind for _, kind in replies}
    assert len(kinds) > 6
    for kind in ("thing", "shape", "card", "number", "landscape", "movement"):
        assert replies["yes", kind] == replies["no", kind]
    assert replies["yes", "never there"] == 0 < replies["no", "never there"]


def test_each_video_is_asked_what_it_does_not_answer(asked):
    for video in asked:
        kinds = Counter(q.kind for q in video.questions if q.expected == NOT_SHOWN)
        assert kinds == {"not shown: missing": MISSING_EACH, "not shown: no video": NEVER_EACH}


def test_a_model_that_always_says_yes_is_right_in_half_of_the_cases():
    answers = [reply(f"v{n}", "yes: thing", "yes", "yes") for n in range(30)]
    answers += [reply(f"v{n}", "no: thing", "no", "yes") for n in range(10)]
    row = balanced(answers)
    assert (row["group"], row["share"], row["answers"]) == (BALANCED, 0.5, 40)
    better = [*answers, *(reply(f"v{n}", "no: shape", "no", "no") for n in range(10))]
    assert balanced(better)["share"] == 0.75
    assert balanced(better)["interval"][0] <= 0.75 <= balanced(better)["interval"][1]


def test_rows_say_how_often_a_question_with_an_answer_is_refused():
    answers = [reply("a", f"{WORDING}: color", "red", said) for said in ("red", NOT_SHOWN, "blue")]
    answers += [reply("b", f"{kind}: thing", kind, kind) for kind in ("yes", "no")]
    answers += [reply("a", f"{kind}: shape", kind, kind) for kind in ("yes", "no")]
    rows = {row["group"]: row["share"] for row in figures(answers)}
    assert rows[WORDING] == rows["wording: color"] == pytest.approx(1 / 3, abs=1e-3)
    assert rows["answers what the video answers"] == pytest.approx(2 / 3, abs=1e-3)
    assert sorted(by_wording(answers).values()) == [[0, 1], [0, 1], [1, 1]]


def test_the_card_says_how_new_questions_are_answered():
    row = {"share": 0.84, "interval": [0.8, 0.9], "answers": 99}
    kept = json.loads((FOLDER / "answers.json").read_text())
    rows = [{"group": group, **row} for group in reversed(NEW)]
    figures = kept | {"new": {"rows": rows, "earlier": rows}}
    told = card(figures)
    assert all(
        f"| {name} | 84.0% | 80.0% to 90.0% | 99 |" in told
        for name in (*NEW.values(), *EARLIER_ROWS.values())
    )
