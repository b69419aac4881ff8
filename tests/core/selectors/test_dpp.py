"""DPPs over frames: what looks new and is worth much, also segment by segment."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.types.tokens import VideoTokens

RULES = ["dpp", "dpp-temporal"]


def candidates(features, seconds=1.0):
    times = torch.arange(len(features), dtype=torch.float64) * seconds
    tokens = VideoTokens(features=features, grid=(1, features.shape[1]), pts_seconds=times)
    return GivenCandidates(pts_seconds=times, given_tokens=tokens)


def pictures(*numbers, patches=3, channels=16):
    """One frame per number; equal numbers look alike, others differ in every patch."""
    return candidates(torch.eye(channels)[list(numbers)][:, None].repeat(1, patches, 1))


def places(spec, given, values, count):
    values = torch.as_tensor(values, dtype=torch.float64)
    return [
        pick.place for pick in registry.create(spec).pick(values, given.pts_seconds, count, given)
    ]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("total", range(2, 11))
def test_each_choice_of_the_whole_video_is_the_best_of_all(rule, total):
    """With one segment both are the greedy choice; every alternative has a smaller determinant."""
    if rule == "dpp-temporal":
        rule += ":segment_frames=10"
    draw = torch.Generator().manual_seed(total)
    given = candidates(torch.randn(total, 2, 4, generator=draw))
    values = torch.rand(total, generator=draw)
    kernel = kernel_of(given, values, 1)
    for count in range(1, total):
        kernel = kernel_of(given, values, count)
        found, chosen = places(rule, given, values, count), []
        for place in found if rule == "dpp" else ordered(found, kernel):
            rest = [other for other in range(total) if other not in chosen]
            values_of = {other: determinant(kernel, [*chosen, other]) for other in rest}
            assert values_of[place] == pytest.approx(max(values_of.values()), rel=1e-9)
            chosen.append(place)


def ordered(found, kernel):
    """Returns the same frames in the order in which a greedy choice would take them."""
    chosen = []
    while len(chosen) < len(found):
        rest = [place for place in found if place not in chosen]
        chosen.append(max(rest, key=lambda place: determinant(kernel, [*chosen, place])))
    return chosen


def determinant(kernel, rows):
    return float(np.linalg.det(kernel[np.ix_(rows, rows)]))


def kernel_of(given, values, count):
    """Returns the whole kernel of the rules, written down again from their description."""
    vectors = given.given_tokens.features.flatten(1).double().numpy()
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    squared = ((units[:, None] - units) ** 2).sum(-1)
    total = len(units)
    number = np.arange(512)
    first = number * total // 512
    second = (first + 1 + number * 7919 % (total - 1)) % total
    usual = max(float(torch.tensor(squared[first, second]).median()), 0.02)
    alike = np.mean([np.exp(-squared / usual / width) for width in (0.25, 0.5, 1, 2, 4)], axis=0)
    times = given.pts_seconds.numpy()
    near = np.exp(-(((times[:, None] - times) / ((times[-1] - times[0]) / count)) ** 2))
    scaled = (values.double() - values.min()) / (values.max() - values.min())
    quality = 0.1 + 0.9 * scaled.numpy()
    return quality[:, None] * (0.9 * alike + 0.1 * near) * quality


@pytest.mark.parametrize("rule", RULES)
def test_equal_pictures_are_taken_once_while_others_are_left(rule):
    numbers = [0, 0, 0, 1, 1, 2, 0, 0, 3, 1]
    given = pictures(*numbers)
    rule = rule if rule == "dpp" else f"{rule}:segment_frames=10"
    found = places(rule, given, [1.0] * 10, 4)
    assert sorted(numbers[place] for place in found) == [0, 1, 2, 3]


@pytest.mark.parametrize("rule", RULES)
def test_of_equal_pictures_the_one_of_highest_score_is_taken(rule):
    found = places(rule, pictures(0, 0, 0, 0, 1, 1, 1, 1), [1, 2, 9, 3, 1, 8, 2, 1], 2)
    assert sorted(found) == [2, 5]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [1.0, 0.0, -3.5])
def test_a_still_video_of_constant_scores_is_spread_over_time(rule, value):
    given = pictures(*[0] * 60)
    found = sorted(places(rule, given, [value] * 60, 6))
    assert len(set(found)) == 6
    assert min(b - a for a, b in pairwise(found)) >= 4  # 10 is even
    assert found[0] < 10
    assert found[-1] >= 50


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("total", "count"), [(2, 1), (3, 2), (7, 6), (41, 40), (64, 63)])
@pytest.mark.parametrize("kind", ["noise", "still", "zero", "half"])
def test_the_count_is_exact_whatever_frames_look_like(rule, total, count, kind):
    features = torch.randn(total, 3, 5, generator=torch.Generator().manual_seed(1))
    features = {
        "noise": features,
        "still": features[:1].repeat(total, 1, 1),
        "zero": features * (torch.arange(total) % 3 > 0)[:, None, None],
        "half": features.half(),
    }[kind]
    for values in (
        torch.ones(total),
        torch.randn(total, generator=torch.Generator().manual_seed(2)),
    ):
        found = places(rule, candidates(features), values, count)
        assert len(found) == len(set(found)) == count
        assert set(found) <= set(range(total))


def test_scores_can_be_left_out():
    given = pictures(*range(8))
    falling = torch.arange(8.0).flip(0)
    spec = "dpp:relevance=0"
    assert places(spec, given, falling, 3) == places(spec, given, falling.flip(0), 3)
    assert places("dpp", given, falling, 3)[0] == 0
    with pytest.raises(InvalidOptionError, match="relevance"):
        registry.create("dpp:relevance=-1")


def test_the_scale_of_scores_does_not_matter():
    given = candidates(torch.randn(20, 2, 6, generator=torch.Generator().manual_seed(3)))
    values = torch.rand(20, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    for rule in RULES:
        assert places(rule, given, values, 5) == places(rule, given, values * 40 - 100, 5)


def test_times_alone_serve_where_there_are_no_pictures():
    times = torch.arange(30, dtype=torch.float64)
    for rule in RULES:
        picks = registry.create(rule).pick(torch.ones(30).double(), times, 3)
        found = sorted(pick.place for pick in picks)
        assert min(b - a for a, b in pairwise(found)) >= 8


def test_tokens_of_very_many_channels_are_compared_by_their_mean():
    features = torch.zeros(6, 40, 300)
    features[:3, :, 0] = features[3:, :, 1] = 1.0
    assert sorted(places("dpp", candidates(features), [1.0] * 6, 2)) in ([0, 5], [0, 3], [2, 3])


def test_segments_share_the_count_as_the_best_of_all_shares():
    """Two segments, each a block of its own: dynamic programming finds the best share."""
    draw = torch.Generator().manual_seed(9)
    features = torch.zeros(12, 1, 8)
    features[:6, 0, :4] = torch.randn(6, 4, generator=draw)
    features[6:, 0, 4:] = torch.randn(6, 4, generator=draw)
    given, values = candidates(features), torch.rand(12, generator=draw)
    kernel = kernel_of(given, values, 4)
    found = places("dpp-temporal:segment_frames=6", given, values, 4)
    best = {
        share: greedy_worth(kernel, range(6), share) * greedy_worth(kernel, range(6, 12), 4 - share)
        for share in range(5)
    }
    got = sum(place < 6 for place in found)
    assert best[got] == pytest.approx(max(best.values()), rel=0.05)


def greedy_worth(kernel, among, count):
    chosen, among = [], list(among)
    for _ in range(count):
        rest = [place for place in among if place not in chosen]
        chosen.append(max(rest, key=lambda place: determinant(kernel, [*chosen, place])))
    return determinant(kernel, chosen) if chosen else 1.0


def test_a_long_still_stretch_does_not_take_what_a_busy_one_needs():
    numbers = [0] * 30 + list(range(1, 11)) + [0] * 20
    found = places("dpp-temporal", pictures(*numbers), [1.0] * 60, 8)
    assert len({numbers[place] for place in found}) >= 6


def test_a_later_segment_does_not_repeat_the_one_before():
    numbers = [0, 0, 0, 0, 1, 0, 0, 0]
    found = places("dpp-temporal:segment_frames=4", pictures(*numbers), [1.0] * 8, 2)
    assert sorted(numbers[place] for place in found) == [0, 1]


def test_greedy_choices_reach_most_of_the_best_set_of_all():
    """The best next choice is what is promised; this shows how far that is from the best set."""
    ratios = []
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        given = candidates(torch.randn(9, 2, 4, generator=draw))
        values = torch.rand(9, generator=draw)
        kernel = kernel_of(given, values, 3)
        best = max(determinant(kernel, list(some)) for some in combinations(range(9), 3))
        ratios.append(determinant(kernel, places("dpp", given, values, 3)) / best)
    assert min(ratios) > 0.5
