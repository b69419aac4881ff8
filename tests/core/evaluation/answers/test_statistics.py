"""Shares, differences and what is kept of the whole, of answers whose figures are known."""

import json
import random

import pytest

from answers_made_by_hand import answered, marked
from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.statistics import by_way, difference, retained, shares

TWO = {"a": "+++-", "b": "--"}


def only(answers, **options):
    (share,) = shares(answers, lambda kind: (), **options)
    return share


def test_a_share_is_of_answers_not_a_mean_of_videos():
    share = only(marked(TWO))
    assert (share.strategy, share.keep, share.group) == ("temporal", 0.25, "overall")
    assert (share.share, share.answers, share.videos) == (0.5, 6, 2)


def test_of_two_videos_the_interval_runs_from_the_one_to_the_other():
    assert only(marked(TWO)).interval == (0.0, 0.75)


def test_the_interval_of_independent_answers_is_the_binomial_one():
    share = only(marked({f"{i:03}": "+-"[i % 2] for i in range(400)}))
    assert share.interval == pytest.approx((0.451, 0.549), abs=0.004)


def test_asking_the_same_of_a_video_again_tells_nothing_more():
    marks = {f"{i:03}": "+-"[i % 3 == 0] for i in range(30)}
    once = only(marked(marks))
    often = only(marked({video: 20 * mark for video, mark in marks.items()}))
    assert often.answers == 20 * once.answers
    assert often.interval == once.interval


@pytest.mark.parametrize(("mark", "share"), [("+", 1.0), ("-", 0.0)])
def test_answers_that_are_all_alike_have_a_point_for_an_interval(mark, share):
    assert only(marked(dict.fromkeys("abc", mark))).interval == (share, share)


def test_a_single_video_has_no_interval():
    share = only(marked({"a": "+-"}))
    assert share.interval is None
    assert json.loads(json.dumps(share.as_row()))["interval"] is None


def test_the_order_of_answers_changes_nothing():
    answers = marked({f"{i}": "+-+"[: 1 + i % 3] for i in range(20)})
    mixed = random.Random(0).sample(answers, len(answers))
    assert shares(answers) == shares(mixed)


def test_groups_come_behind_the_whole_and_kinds_behind_groups():
    answers = [
        answered("a", "1", True, kind="text"),
        answered("a", "2", False, kind="order"),
        answered("b", "3", True, kind="color"),
    ]
    span = {"text": "one frame", "color": "one frame", "order": "several frames"}
    groups = shares(answers, lambda kind: (span[kind], kind))
    found = {s.group: (s.share, s.answers, s.videos) for s in groups}
    assert list(found) == ["overall", "one frame", "several frames", "color", "order", "text"]
    assert found["one frame"] == (1.0, 2, 2)
    assert found["order"] == (0.0, 1, 1)
    assert [s.group for s in shares(answers, lambda kind: ())] == ["overall"]


def test_a_group_that_is_named_twice_counts_once():
    answers = marked({"a": "+-"})
    found = shares(answers, lambda kind: ("overall", "one frame", kind))
    assert [(s.group, s.answers) for s in found] == [
        ("overall", 2),
        ("one frame", 2),
        ("number", 2),
    ]


def test_ways_are_apart_and_keep_their_order():
    ways = [("uniform", 0.5), ("all tokens", 1.0), ("uniform", 0.25)]
    answers = [a for s, k in ways for a in marked({"a": "+"}, strategy=s, keep=k)]
    assert [(s.strategy, s.keep) for s in shares(answers, lambda kind: ())] == ways


def test_tokens_and_times_are_counted():
    share = only(
        [
            answered("a", "1", True, tokens=100, tokens_before=400, first_token_seconds=1.0),
            answered("a", "2", True, tokens=100, tokens_before=400, first_token_seconds=5.0),
            answered("b", "1", True, tokens=400, tokens_before=1600, first_token_seconds=2.0),
            answered("b", "2", True, tokens=600, tokens_before=1600),
        ]
    )
    assert (share.tokens, share.tokens_share) == (300.0, 0.3)
    assert share.first_token_seconds == 2.0


def test_answers_without_video_have_no_tokens_and_no_times():
    share = only(marked(TWO, strategy="blind", keep=0.0, tokens_before=0))
    assert (share.tokens, share.tokens_share, share.first_token_seconds) == (0.0, 0.0, None)


def test_answers_without_words_are_counted():
    silent = [answered("a", str(i), False, said=said) for i, said in enumerate(["", " \n", "no"])]
    assert only(silent).empty == 2


def test_no_answers_have_no_shares():
    assert shares([]) == []


def test_two_answers_to_one_question_are_refused():
    twice = marked({"clip": "+"}) + marked({"clip": "-"})
    with pytest.raises(
        InvalidOptionError, match=r"'temporal' at keep 0.25 has two answers to 'question 0' about"
    ):
        by_way(twice)
    with pytest.raises(InvalidOptionError, match="two answers"):
        difference(twice, marked({"clip": "+"}))


def test_a_difference_is_of_the_questions_that_both_answered():
    one = marked({"a": "++-+", "b": "+   "})
    other = marked({"a": "-+--", "c": "++"}, strategy="uniform")
    found = difference(one, other)
    assert (found.value, found.pairs, found.videos) == (0.5, 4, 1)
    assert found.unpaired == (1, 2)
    assert found.interval is None
    assert not found.excludes(0.0)


def test_pairing_takes_out_what_makes_videos_differ():
    videos = range(20)
    one = marked({f"{i}": "++" if i % 2 else "+-" for i in videos})
    other = marked({f"{i}": "+-" if i % 2 else "--" for i in videos}, strategy="uniform")
    found = difference(one, other)
    assert (found.value, found.interval) == (0.5, (0.5, 0.5))
    assert found.excludes(0.0)
    assert difference(other, one).value == -0.5
    low, high = only(one).interval
    assert high - low > 0.1


def test_a_way_does_not_differ_from_itself():
    found = difference(marked(TWO), marked(TWO))
    assert (found.value, found.interval, found.unpaired) == (0.0, (0.0, 0.0), (0, 0))
    assert not found.excludes(0.0)


def test_a_difference_within_chance_is_not_clear():
    one = marked({"a": "+", "b": "-", "c": "+", "d": "+"})
    other = marked({"a": "-", "b": "+", "c": "+", "d": "-"})
    found = difference(one, other)
    assert found.value == 0.25
    assert not found.excludes(0.0)


def test_without_a_question_in_common_there_is_no_difference():
    with pytest.raises(InvalidOptionError, match="1 answers and 2 others share no question"):
        difference(marked({"a": "+"}), marked({"b": "++"}))


def test_what_is_retained_is_a_ratio_to_the_whole():
    whole = marked({"a": "++++-", "b": "++++-"}, strategy="all tokens", keep=1.0)
    found = retained(marked({"a": "+++--", "b": "++++-"}), whole)
    assert found.value == 0.875
    assert found.interval == (0.75, 1.0)
    assert retained(whole, whole).interval == (1.0, 1.0)


def test_where_the_whole_is_never_right_nothing_can_be_retained():
    assert retained(marked({"a": "+"}), marked({"a": "-"})) is None


def test_resamples_without_a_right_answer_of_the_whole_are_left_out():
    found = retained(marked({"a": "+", "b": "-"}), marked({"a": "+", "b": "-"}))
    assert (found.value, found.interval) == (1.0, (1.0, 1.0))
    assert json.loads(json.dumps(found.as_row()))["interval"] == [1.0, 1.0]


def test_runs_of_a_way_count_as_their_mean_question_by_question():
    runs = [
        *marked({"a": "++", "b": "--"}, strategy="random#1"),
        *marked({"a": "+-", "b": "--"}, strategy="random#2"),
    ]
    (share,) = shares(runs, lambda kind: ())
    assert (share.strategy, share.share, share.answers, share.videos) == ("random", 0.375, 4, 2)
    assert share.interval == (0.0, 0.75)
    whole = marked({"a": "++", "b": "++"}, strategy="all tokens")
    assert retained(runs, whole).value == 0.375
    assert difference(whole, runs).value == 0.625
    assert list(by_way(runs)) == [("random", 0.25)]


def test_a_run_that_is_not_finished_does_not_weigh_on_what_others_answered():
    runs = [
        *marked({"a": "+", "b": "-"}, strategy="random#1"),
        *marked({"a": "+"}, strategy="random#2"),
    ]
    (share,) = shares(runs, lambda kind: ())
    assert (share.share, share.answers) == (0.5, 2)


def test_a_run_that_answers_twice_is_refused():
    twice = [marked({"a": "+"}, strategy="random#1")[0] for _ in range(2)]
    with pytest.raises(InvalidOptionError, match=r"'random#1' at keep 0\.25 has two answers"):
        by_way(twice)
