import pytest

from framesift.evaluation.selection.choices import Choice
from framesift.evaluation.selection.figures import as_of, differences, rows
from framesift.evaluation.selection.goals import goals
from framesift.evaluation.selection.ways import (
    KEYFRAMES,
    NOVELTY,
    ROUTED,
    SIMILARITY,
    TRAINED,
    TWICE,
    UNIFORM,
)


def choice(way, video, right, *, candidates=32, reader="tiny", scope="local", **facts):
    known = {
        "video": f"test-{video}",
        "question": "0",
        "candidates": candidates,
        "kind": "number",
        "scope": scope,
        "wording": "trained",
        "way": way,
        "selector": way,
        "count": 4,
        "reader": reader,
        "picked": [1, 2, 3, 4],
        "hit": right,
        "said": "12",
        "right": right,
        "frames_decoded": 0,
        "frames_encoded": 0,
        "calls": 0,
        "seconds": 0.5,
    }
    return Choice(**{**known, **facts})


def answers(way, rights, **facts):
    return [choice(way, video, bool(right), **facts) for video, right in enumerate(rights)]


def test_a_row_has_the_share_the_interval_and_the_cost_of_a_way():
    own = answers(TRAINED, [1, 1, 1, 0], frames_decoded=8, calls=1)
    (row,) = rows(own)
    assert (row["right"], row["questions"], row["videos"], row["count"]) == (0.75, 4, 4, 4)
    low, high = row["right_interval"]
    assert low < 0.75 < high <= 1
    assert (row["frames_decoded_each"], row["calls_each"], row["seconds_each"]) == (8, 1, 0.5)


def test_wordings_that_training_left_out_are_counted_apart():
    own = answers(TRAINED, [1, 0]) + answers(TRAINED, [0, 1, 1], wording="unseen", question="1")
    (row,) = rows(own)
    assert (row["unseen_right"], row["unseen_questions"]) == (pytest.approx(0.6667), 3)


def test_readers_scopes_lengths_and_ways_are_rows_of_their_own():
    own = [
        choice(UNIFORM, 0, True, candidates=candidates, reader=reader, scope=scope)
        for candidates in (16, 32)
        for reader in ("tiny", "other")
        for scope in ("local", "global")
    ]
    found = rows(own)
    assert len(found) == 8
    assert as_of(found, "other", "global", 16, UNIFORM) is not None
    assert as_of(found, "other", "global", 64, UNIFORM) is None


def test_a_difference_is_of_the_questions_that_both_answered():
    own = answers(TRAINED, [1, 1, 1, 1]) + answers(UNIFORM, [0, 0, 1])
    (row,) = differences(own, TRAINED)
    assert (row["way"], row["pairs"], row["gain"]) == (UNIFORM, 3, pytest.approx(0.6667))
    assert row["gain_interval"][0] < row["gain"] <= row["gain_interval"][1]


def reached(own):
    found = goals(differences(own, TRAINED), differences(own, ROUTED), ["tiny", "other"])
    return {goal["goal"]: goal["reached"] for goal in found}


def run_of(trained_at_32, trained_at_128):
    own = []
    for reader in ("tiny", "other"):
        for candidates, rights in ((32, trained_at_32), (128, trained_at_128)):
            shared = {"candidates": candidates, "reader": reader}
            own += answers(TRAINED, 4 * rights, **shared)
            own += answers(UNIFORM, 4 * [0, 0, candidates == 32, 0], **shared)
            for way in (TWICE, NOVELTY, SIMILARITY, KEYFRAMES):
                own += answers(way, 4 * [1, 0, 1, 0], **shared)
            own += answers(ROUTED, 4 * [0, 1, 1, 0], scope="global", **shared)
            own += answers(UNIFORM, 4 * [0, 1, 1, 0], scope="global", **shared)
    return own


def test_goals_are_reached_where_the_figures_say_so():
    assert set(reached(run_of([1, 1, 1, 1], [1, 1, 1, 1])).values()) == {True}


def test_goals_are_missed_where_the_figures_say_so():
    found = reached(run_of([0, 0, 1, 0], [0, 0, 0, 0]))
    missed = [words for words, is_reached in found.items() if not is_reached]
    assert any("10%" in words for words in missed)
    assert any("twice" in words for words in missed)
    assert any("novelty" in words for words in missed)
    assert any("reader other" in words for words in missed)


def test_what_was_not_measured_is_neither_reached_nor_missed():
    assert set(reached(answers(TRAINED, [1, 1])).values()) == {None}


def test_of_a_single_video_there_is_no_interval_and_no_claim_above_chance():
    own = [choice(way, 0, way == TRAINED) for way in (TRAINED, NOVELTY, UNIFORM)]
    found = reached(own)
    assert found["above novelty at 32"] is None
    assert found["at least 10% above uniform at 32"] is True
