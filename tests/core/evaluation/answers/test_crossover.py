"""Where two strategies change places, of curves whose crossing is known."""

import numpy as np
import pytest

from answers_made_by_hand import answered, marked
from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.crossings import crossings, shared_axis, weights
from framesift.evaluation.answers.crossover import crossover

VIDEOS = "abcdefgh"


def curve(strategy, points, videos=VIDEOS):
    """Returns answers to ten questions a video: of each keep, how many of them are right."""
    return [
        answer
        for keep, right in points.items()
        for answer in marked(
            dict.fromkeys(videos, "+" * right + "-" * (10 - right)),
            strategy=strategy,
            keep=keep,
        )
    ]


def crossed(one, other, videos=VIDEOS):
    return crossover(
        curve("temporal", one, videos) + curve("uniform", other, videos), "temporal", "uniform"
    )


def test_the_crossing_is_found_on_the_logarithm_of_the_tokens():
    found = crossed({0.1: 8, 0.4: 6}, {0.1: 6, 0.4: 8})
    assert found.at == pytest.approx(0.2)
    assert found.interval == pytest.approx((0.2, 0.2))
    assert (found.count, found.crossed, found.ahead) == (1, 1.0, None)
    assert (found.questions, found.left_out, found.videos) == (80, 0, 8)
    assert found.sentence == (
        "temporal is better below 20% of the tokens, uniform above (95% interval 20% to 20%); "
        "100% of resamples cross"
    )


def test_the_other_way_round_the_names_change_places():
    found = crossed({0.1: 6, 0.4: 8}, {0.1: 8, 0.4: 6})
    assert found.at == pytest.approx(0.2)
    assert found.sentence.startswith("uniform is better below 20% of the tokens, temporal above")


def test_videos_that_disagree_widen_the_interval():
    answers = []
    for shift, videos in ((0, "abcdefgh"), (1, "ijklmnop")):
        answers += curve("temporal", {0.1: 8, 0.4: 6 + shift}, videos)
        answers += curve("uniform", {0.1: 6, 0.4: 7 + shift}, videos)
        answers += curve("uniform", {0.2: 6 + 2 * shift}, videos)
        answers += curve("temporal", {0.2: 7}, videos)
    found = crossover(answers, "temporal", "uniform")
    low, high = found.interval
    assert found.at == pytest.approx(0.2)
    assert 0.15 < low < 0.19
    assert 0.21 < high < 0.3
    assert found.crossed == 1.0


def test_points_of_different_shares_are_interpolated():
    found = crossed({0.1: 8, 0.4: 4}, {0.05: 2, 0.2: 6, 0.8: 10})
    assert found.at == pytest.approx(0.2)


@pytest.mark.parametrize("top", [{}, {1.0: 9}])
def test_where_one_is_never_below_there_is_no_crossing(top):
    found = crossed({0.1: 8, 0.5: 9} | top, {0.1: 6, 0.5: 8} | top)
    assert (found.at, found.interval, found.count, found.crossed) == (None, None, 0, 0.0)
    assert (found.ahead, found.ahead_in) == ("temporal", 1.0)
    end = "100%" if top else "50%"
    assert found.sentence == (
        f"temporal is nowhere below uniform from 10% to {end} of the tokens; "
        "100% of resamples say the same"
    )


def test_how_sure_that_is_is_said():
    one = marked({"a": "+", "b": "+", "c": "-"}) + marked(dict.fromkeys("abc", "+"), keep=0.5)
    other = marked({"a": "-", "b": "-", "c": "+"}, strategy="uniform")
    other += marked(dict.fromkeys("abc", "-"), strategy="uniform", keep=0.5)
    found = crossover(one + other, "temporal", "uniform")
    # Below at keep 0.25 where c is drawn at least twice of three: 3 * (1/9 * 2/3) + 1/27.
    assert found.ahead == "temporal"
    assert found.ahead_in == pytest.approx(1 - 7 / 27, abs=0.03)
    assert found.crossed == pytest.approx(7 / 27, abs=0.03)


def test_equal_curves_have_none_ahead():
    found = crossed({0.1: 5, 0.5: 7}, {0.1: 5, 0.5: 7})
    assert (found.at, found.ahead, found.ahead_in, found.crossed) == (None, None, None, 0.0)
    assert found.sentence == "temporal and uniform are equally good from 10% to 50% of the tokens"


def test_a_single_keep_only_says_who_is_ahead_there():
    found = crossed({0.25: 5}, {0.25: 7})
    assert (found.at, found.ahead, found.ahead_in) == (None, "uniform", 1.0)
    assert found.sentence == (
        "uniform is nowhere below temporal at 25% of the tokens, the one common share; "
        "100% of resamples say the same"
    )


def test_without_a_common_share_nothing_is_compared():
    found = crossed({0.1: 5, 0.2: 6}, {0.5: 7, 0.75: 7})
    assert (found.at, found.ahead) == (None, None)
    assert found.sentence == "temporal and uniform were measured at no common share of the tokens"


def test_a_single_video_crosses_without_an_interval():
    found = crossed({0.1: 8, 0.4: 6}, {0.1: 6, 0.4: 8}, videos="a")
    assert found.at == pytest.approx(0.2)
    assert (found.interval, found.crossed) == (None, None)
    assert found.sentence.endswith("a single video leaves nothing to resample")
    parted = crossed({0.1: 8, 0.4: 6}, {0.1: 6, 0.4: 5}, videos="a")
    assert (parted.ahead, parted.ahead_in) == ("temporal", None)


def test_of_several_crossings_the_one_that_divides_the_curves_is_taken():
    found = crossed({0.1: 8, 0.4: 4, 0.5: 8, 0.6: 7}, {0.1: 4, 0.4: 8, 0.5: 7, 0.6: 8})
    assert found.count == 3
    assert found.at == pytest.approx(0.2)
    assert "of 3 crossings this one divides the curves best" in found.sentence


def test_curves_that_run_together_cross_where_they_part():
    found = crossed({0.1: 8, 0.2: 6, 0.3: 6, 0.4: 5}, {0.1: 6, 0.2: 6, 0.3: 6, 0.4: 8})
    assert (found.at, found.count) == (pytest.approx(0.3), 1)


def test_keeps_that_come_to_the_same_tokens_are_averaged():
    answers = curve("uniform", {0.1: 6, 0.4: 8})
    answers += curve("temporal", {0.1: 8, 0.4: 6})
    answers += [
        answered(v, f"question {q}", q < 4, keep=0.45, tokens=400)
        for v in VIDEOS
        for q in range(10)
    ]
    found = crossover(answers, "temporal", "uniform")
    # 8 to 5 against 6 to 8: a gap of +2 becomes one of -3.
    assert found.at == pytest.approx(0.1 * 4 ** (2 / 5))


def test_questions_that_a_way_lacks_are_left_out():
    answers = curve("temporal", {0.1: 8, 0.4: 6}) + curve("uniform", {0.1: 6, 0.4: 8})
    answers += [answered("late", "question 0", True, keep=0.1)]
    found = crossover(answers, "temporal", "uniform")
    assert (found.questions, found.left_out, found.videos) == (80, 1, 8)


def test_other_strategies_and_the_order_of_answers_change_nothing():
    answers = curve("temporal", {0.1: 8, 0.4: 6}) + curve("uniform", {0.1: 6, 0.4: 8})
    more = curve("random", {0.1: 1}) + answers[::-1]
    assert crossover(more, "temporal", "uniform") == crossover(answers, "temporal", "uniform")


def test_a_strategy_without_answers_is_named_beside_those_that_have_some():
    with pytest.raises(InvalidOptionError, match="no answers of 'random'; name one of 'temporal'"):
        crossover(curve("temporal", {0.1: 8}), "temporal", "random")


def test_answers_without_tokens_are_on_no_curve():
    answers = curve("temporal", {0.1: 8}) + curve("blind", {0.0: 2})
    with pytest.raises(InvalidOptionError, match="'blind' at keep 0 has no tokens"):
        crossover(answers, "temporal", "blind")


def test_without_a_question_that_all_answered_the_run_is_to_be_finished():
    answers = curve("temporal", {0.1: 8}, "ab") + curve("uniform", {0.1: 8}, "cd")
    with pytest.raises(InvalidOptionError, match="no question was answered at every keep"):
        crossover(answers, "temporal", "uniform")


def test_random_curves_cross_as_often_as_a_dense_grid_says():
    random = np.random.default_rng(0)
    axis = np.sort(random.uniform(0, 1, 7))
    gaps = random.normal(size=(200, 7))
    found = crossings(axis, gaps)
    dense = np.linspace(axis[0], axis[-1], 20_001)
    for gap, at, count, is_above in zip(
        gaps, found.at, found.count, found.is_above_before, strict=True
    ):
        signs = np.sign(np.interp(dense, axis, gap))
        assert count == (signs[1:] != signs[:-1]).sum()
        assert np.isnan(at) == (count == 0)
        if count:
            assert np.interp(at, axis, gap) == pytest.approx(0, abs=1e-9)
            led = np.interp(dense, axis, gap) * np.where(dense < at, 1, -1)
            places = dense[1:][signs[1:] != signs[:-1]]
            rivals = [
                abs((np.interp(dense, axis, gap) * np.where(dense < place, 1, -1)).mean())
                for place in places
            ]
            assert abs(led.mean()) == pytest.approx(max(rivals), abs=1e-3)
            assert (led.mean() > 0) == is_above


def test_weights_interpolate_as_numpy_does():
    one, other = np.array([0.0, 1.0, 4.0]), np.array([2.0, -1.0, 3.0])
    axis = shared_axis(one, other)
    assert axis.tolist() == [0.0, 1.0, 2.0, 3.0]
    values = np.array([5.0, 7.0, 6.0])
    order = np.argsort(other)
    expected = np.interp(axis, other[order], values[order])
    np.testing.assert_allclose(values @ weights(other, axis), expected)
