"""Two logs side by side, of answers whose differences are known."""

import json

import pytest

from answers_made_by_hand import log, marked
from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.compare import ComparedWay, RunChange, compare, compare_lines

VIDEOS = [f"{i}" for i in range(16)]


def way(mark, strategy="temporal", keep=0.25, videos=VIDEOS):
    return marked(dict.fromkeys(videos, mark), strategy=strategy, keep=keep)


def test_changes_of_the_run_come_first_then_shared_ways_then_the_others():
    a = log([*way("+", "sttm"), *way("+", "uniform"), *way("+", "blind", 0)])
    b = log(
        [*way("+", "blind", 0), *way("-", "random"), *way("-", "uniform")],
        settings={"model": "tiny", "questions": "40"},
        versions={"torch": "2.13.0"},
        commit="def",
    )
    rows = compare(a, b)
    assert rows[:3] == [
        RunChange(name="versions.torch", a="2.6.0", b="2.13.0"),
        RunChange(name="commit", a="abc", b="def"),
        RunChange(name="settings.questions", a=None, b="40"),
    ]
    assert [(row.name, row.a, row.b) for row in rows[3:]] == [
        ("uniform 0.25", 1.0, 0.0),
        ("blind", 1.0, 1.0),
        ("sttm 0.25", 1.0, None),
        ("random 0.25", None, 0.0),
    ]


def test_the_difference_is_of_b_less_a_and_marked_where_it_leaves_out_zero():
    (row,) = compare(log(way("+-")), log(way("++")))
    assert (row.a, row.b) == (0.5, 1.0)
    assert (row.difference.value, row.difference.interval) == (0.5, (0.5, 0.5))
    assert row.is_marked


def test_a_log_does_not_differ_from_itself():
    same = log([*way("+-"), *way("--", keep=0.1)])
    rows = compare(same, same)
    assert [row.difference.value for row in rows] == [0.0, 0.0]
    assert not any(row.is_marked for row in rows)
    assert not any("*" in line for line in compare_lines(rows))


def test_shares_are_of_the_questions_that_both_logs_hold():
    a = log([*way("+"), *way("-", videos=["late"])])
    b = log([*way("+"), *way("-", videos=["later", "latest"])])
    (row,) = compare(a, b)
    assert (row.a, row.b, row.difference.pairs) == (1.0, 1.0, 16)
    assert row.as_row()["difference"]["unpaired"] == [1, 2]
    assert compare_lines([row])[-1].endswith("16  unpaired: 1 in A, 2 in B")


def test_a_way_without_a_question_in_common_stands_beside_those_with_some():
    a = log([*way("+"), *way("+", "random", videos=["x"])])
    b = log([*way("+"), *way("-", "random", videos=["y"])])
    rows = compare(a, b)
    assert [row.difference is None for row in rows] == [False, True]
    assert compare_lines(rows)[-1].split() == [
        *("random", "0.25", "100.0%", "0.0%", "no", "question", "in", "common"),
    ]


def test_a_terminal_sees_percent_and_points():
    a = log([*way("+-"), *way("+", "all tokens", 1.0), *way("+", "sttm", 0.05)])
    b = log([*way("++"), *way("+", "all tokens", 1.0)], commit="def")
    assert compare_lines(compare(a, b)) == [
        "commit         abc -> def",
        "",
        "way                 A      B  B - A  95% interval     pairs",
        "temporal 0.25   50.0% 100.0%  +50.0  +50.0 to +50.0      32 *",
        "all tokens     100.0% 100.0%   +0.0  +0.0 to +0.0        16",
        "sttm 0.05      100.0%      -  only in A",
        "",
        "* the interval leaves out 0; of 2 without any difference about 0.1 would be marked "
        "by chance",
    ]


def test_of_one_video_there_is_a_difference_and_no_mark():
    rows = compare(log(way("-", videos=["a"])), log(way("+", videos=["a"])))
    assert not rows[0].is_marked
    assert "+100.0  one video" in compare_lines(rows)[-1]


def test_rows_are_json():
    a, b = log(way("+-")), log([*way("++"), *way("+", "sttm")], machine="another")
    rows = [row.as_row() for row in compare(a, b)]
    assert json.loads(json.dumps(rows)) == rows
    assert rows[0] == {"what": "run", "name": "machine", "a": "two cores", "b": "another"}
    assert rows[1]["difference"]["value"] == 0.5
    assert rows[2] == {
        "what": "way",
        "strategy": "sttm",
        "keep": 0.25,
        "a": None,
        "b": 1.0,
        "difference": None,
        "is_marked": False,
    }


def test_logs_that_share_no_way_are_refused():
    a = log([answer for keep in (0.1, 0.2, 0.3, 0.4) for answer in way("+", keep=keep)])
    with pytest.raises(InvalidOptionError) as caught:
        compare(a, log([]))
    assert str(caught.value) == (
        "the logs share no way: A has temporal 0.1, temporal 0.2, temporal 0.3 and 1 more, "
        "B has no answers; compare runs that have a strategy and a keep in common"
    )


def test_logs_that_share_no_question_are_refused():
    with pytest.raises(
        InvalidOptionError,
        match=r"share no question: A asks 'question 0' about 'a', B asks 'question 0' about 'b'",
    ):
        compare(log(way("+", videos="a")), log(way("+", videos="b")))


def test_two_answers_to_one_question_in_a_log_are_refused():
    with pytest.raises(InvalidOptionError, match="two answers"):
        compare(log(way("+")), log(way("+") + way("-")))


def test_a_way_is_named_as_it_was_asked_for():
    names = [
        ComparedWay(strategy=strategy, keep=keep, a=None, b=None, difference=None).name
        for strategy, keep in [("temporal | tome", 0.05), ("one frame", 0.125), ("blind", 0.0)]
    ]
    assert names == ["temporal | tome 0.05", "one frame", "blind"]
