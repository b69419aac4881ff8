import numpy as np
import pytest

from benchmarks.sections.scissor import edge_loop
from framesift.strategies.base import create_strategy
from framesift.strategies.scissor import Scissor
from goldens.scissor import cosines, groups_above, scissor, two_step_count
from goldens.videos import KINDS, rows, video

SPANS = {"clustered": (0.85, 0.995), "random": (0.2, 0.6), "drifting": (0.3, 0.97)}


def same_rows(plan, expected):
    """Whether each output equals its counterpart, whatever their order."""
    pairs = zip(sorted(rows(plan), key=sorted), sorted(expected, key=sorted), strict=True)
    return [row == pytest.approx(other) for row, other in pairs]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
def test_the_published_result_is_that_of_exact_components(kind, share):
    tokens = video(kind, frames=7, height=4, width=5)
    low, high = SPANS[kind]
    threshold = low + share * (high - low)
    expected = scissor(tokens.features.double().numpy(), threshold)
    assert Scissor().two_step_count(tokens, threshold) == len(expected)
    plan = Scissor(threshold=threshold).plan(tokens, len(expected))
    assert all(same_rows(plan, expected))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [1, 9, 30, 77, 139])
def test_a_budget_cuts_the_hierarchy_where_strongest_links_leave_it(kind, budget):
    tokens = video(kind, frames=7, height=4, width=5)
    threshold = sum(SPANS[kind]) / 2
    expected = scissor(tokens.features.double().numpy(), threshold, budget)
    assert all(same_rows(Scissor(threshold=threshold).plan(tokens, budget), expected))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [12, 40, 90])
def test_no_other_threshold_comes_nearer_to_the_budget(kind, budget):
    tokens = video(kind, frames=6)
    features = tokens.features.double().numpy()
    counts = [two_step_count(features, t) for t in np.linspace(-0.2, 0.9999, 60)]
    threshold = Scissor().solved_threshold(tokens, budget)
    miss = abs(two_step_count(features, threshold) - budget)
    assert miss <= min(abs(count - budget) for count in counts)
    solved = create_strategy("scissor").plan(tokens, budget)
    expected = scissor(features, threshold, budget)
    assert all(same_rows(solved, expected))


def test_the_edge_loop_that_the_benchmark_times_finds_these_components():
    tokens = video("clustered", frames=5).features.double().numpy().reshape(80, -1)
    linked = cosines(tokens) > 0.95
    expected = groups_above(cosines(tokens), 0.95, np.ones_like(linked))
    found = edge_loop(linked, np.random.default_rng(0))
    assert len(found) == len(expected)
    whole = [set(group) for group in expected]
    assert all(any(set(group) <= other for other in whole) for group in found)
