import pytest

from framesift.strategies._quadtree import ONE, Quadtree
from framesift.strategies.base import create_strategy
from framesift.types.plan import TokenPlan
from goldens.sttm import sttm
from goldens.videos import KINDS, rows, video

GRIDS = [(4, 4), (5, 6), (7, 3)]


def transcribed(tokens, spatial, slack, root_level=0):
    features = tokens.features.double().numpy()
    return sttm(features, tokens.grid, spatial, 1 - slack * (1 - spatial), root_level)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("slack", "root_level"), [(1.0, 0), (2.5, 1)])
@pytest.mark.parametrize("spatial", [0.3, 0.6, 0.8, 0.93])
def test_groups_are_those_of_the_thresholds(kind, grid, slack, root_level, spatial):
    tokens = video(kind, frames=5, height=grid[0], width=grid[1])
    strategy = create_strategy("sttm", time_slack=slack)
    group = strategy.groups(Quadtree.of(tokens, root_level), round(spatial * ONE))
    plan = TokenPlan.merge(group, tokens_per_frame=tokens.tokens_per_frame)
    assert {frozenset(row) for row in rows(plan)} == transcribed(tokens, spatial, slack, root_level)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("spatial", [0.3, 0.6, 0.8, 0.93])
def test_the_thresholds_are_solved_for_the_budget(kind, grid, spatial):
    tokens = video(kind, frames=5, height=grid[0], width=grid[1])
    expected = transcribed(tokens, spatial, 2.5)
    plan = create_strategy("sttm:root_level=0").plan(tokens, len(expected))
    assert {frozenset(row) for row in rows(plan)} == expected
    for row in rows(plan):
        assert list(row.values()) == pytest.approx([1 / len(row)] * len(row))
