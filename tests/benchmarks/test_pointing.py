"""How often evidence points right is counted beside how often a guess would."""

import random

import pytest

from benchmarks.effort import Effort
from benchmarks.sections import pointing
from benchmarks.sections.pointing import overlap_chance
from framesift.evaluation.answers import question_sets


@pytest.mark.parametrize(
    ("span", "length", "chance"),
    [
        ((2, 3), 1, 2 / 9),
        ((0, 1), 1, 1 / 9),
        ((9, 10), 1, 1 / 9),
        ((0, 10), 1, 1),
        ((4, 6), 9, 1),
        ((0, 1), 10, 1),
        ((0, 1), 11, 1),
        ((3, 5), 0, 2 / 10),
    ],
)
def test_a_guess_is_right_as_often_as_its_size_allows(span, length, chance):
    assert overlap_chance(span, length, 10) == pytest.approx(chance)
    if length < 10:
        rng = random.Random(0)
        starts = [rng.uniform(0, 10 - length) for _ in range(20_000)]
        drawn = sum(start < span[1] and start + length > span[0] for start in starts)
        assert drawn / len(starts) == pytest.approx(chance, abs=0.01)


def test_one_video_gives_every_measure(monkeypatch):
    # The answers that are guessed without a video are not asked for here, and take their time.
    monkeypatch.setattr(question_sets, "commonest_answers", dict)
    rows = pointing.measure(Effort(pointing_videos=1), None)["rows"]
    by_name = {(row["video"], row["name"]): row for row in rows}
    kinds = ["attention", "similarity"]
    assert list(by_name) == [
        *(("time", kind) for kind in kinds),
        *(("time and place", kind) for kind in kinds),
    ]
    for row in rows:
        assert 0 <= row["share"] <= 1
        assert row["gain"] == pytest.approx(row["share"] - row["peer_share"], abs=1e-4)
        assert row["interval"] is row["gain_interval"] is None
