from dataclasses import replace

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.strategies._quadtree import Quadtree
from framesift.strategies.base import create_strategy
from framesift.strategies.sttm import averaged
from framesift.testing.samples import random_tokens
from framesift.testing.stand_in import on_stand_in, stand_in
from framesift.types.tokens import VideoTokens

STTM = create_strategy("sttm")


def tokens_of(features, grid):
    times = torch.arange(len(features), dtype=torch.float64)
    return VideoTokens(features=features, grid=grid, pts_seconds=times)


def kinds(*numbers):
    """Returns one token `(1, 4)` per number, unlike those of other numbers."""
    return torch.eye(4)[list(numbers)]


def test_a_still_square_is_one_token_and_knows_its_patches_and_times():
    picture = kinds(0, 0, 1, 2, 0, 0, 3, 1, 1, 2, 2, 2, 3, 1, 2, 2)
    plan = STTM.plan(tokens_of(picture.repeat(3, 1, 1), (4, 4)), budget=10)
    squares = [[0, 1, 4, 5], [2], [3], [6], [7], [8], [9], [10, 11, 14, 15], [12], [13]]
    expected = [[frame * 16 + n for frame in range(3) for n in part] for part in squares]
    found = [plan.src[plan.dst == row].tolist() for row in range(10)]
    assert sorted(found) == sorted(expected)
    assert plan.is_pruning is False
    times = torch.arange(3.0).repeat_interleave(16)[:, None]
    assert plan.normalized().apply(times).flatten() == pytest.approx([1.0] * 10)


@pytest.mark.parametrize("root_level", [0, 1])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (5, 3), (9, 8), (13, 13)])
def test_a_still_frame_has_no_larger_squares_than_the_root_level(rows, columns, root_level):
    tree = Quadtree.of(tokens_of(torch.ones(1, rows * columns, 4), (rows, columns)), root_level)
    sides = [(rows, columns)]
    while min(sides[-1]) > 2:
        sides.append(tuple(-(-side // 2) for side in sides[-1]))
    height, width = sides[max(0, len(sides) - 1 - root_level)]
    assert len(tree.squares(0).unique()) == height * width


def test_squares_of_odd_sides_are_aligned_to_the_lower_right():
    features = torch.eye(49)[torch.tensor([[0, 1, 1, 2, 2, 3, 3]] * 7)]
    features[0, 0], features[1:, 0] = features[0, 1], torch.eye(49)[5:11]
    tree = Quadtree.of(tokens_of(features.view(1, 49, 49), (7, 7)), root_level=0)
    own = tree.corner[1].view(7, 7)
    assert own[:, 0].tolist() == [0, 7, 7, 21, 21, 35, 35]
    assert own[0].tolist() == [0, 1, 1, 3, 3, 5, 5]


def test_a_budget_below_the_largest_squares_makes_larger_ones():
    picture = torch.randn(1, 196, 8, generator=torch.Generator().manual_seed(4))
    for budget in (1, 2, 3, 4, 9, 15, 16):
        plan = STTM.plan(tokens_of(picture, (14, 14)), budget)
        assert plan.num_out == budget
        assert plan.used.all()


def test_patches_weigh_the_same_or_squares_do():
    group, square = torch.tensor([0, 0, 0, 0, 0, -1]), torch.tensor([0, 0, 0, 3, 4, 5])
    assert averaged(group, None, 3).weight.tolist() == pytest.approx([1 / 5] * 5)
    assert averaged(group, square, 3).weight.tolist() == pytest.approx([1 / 9] * 3 + [1 / 3] * 2)


def test_weighted_decides_on_weights_only():
    features = torch.randn(3, 49, 4, generator=torch.Generator().manual_seed(5)).cumsum(0)
    tokens = tokens_of(features, (7, 7))
    for budget in (2, 11, 40, 90):
        patches, squares = (
            create_strategy("sttm", weighted=w).plan(tokens, budget) for w in (True, False)
        )
        for plan in (patches, squares):
            torch.testing.assert_close(
                torch.zeros(budget).index_add(0, plan.dst, plan.weight),
                torch.ones(budget),
            )
        parts = [
            {frozenset(plan.src[plan.dst == row].tolist()) for row in range(budget)}
            for plan in (patches, squares)
        ]
        assert parts[0] == parts[1]


@pytest.mark.parametrize("grid", [(1, 1), (1, 7), (5, 3), (9, 8)])
@pytest.mark.parametrize("frames", [1, 2, 18])
def test_every_budget_is_met_on_any_grid(grid, frames):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(frames, grid[0] * grid[1], 6, generator=generator)
    features[frames // 2 :] = features[-1]
    tokens = tokens_of(features, grid)
    for budget in range(1, tokens.count + 1, 1 + tokens.count // 20):
        assert STTM.plan(tokens, budget).num_out == budget


def test_frames_without_live_tokens_do_not_keep_their_neighbours_apart():
    features = torch.randn(5, 16, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(5, 16, dtype=torch.bool)
    mask[1:3], mask[3, 5:] = False, False
    plan = STTM.plan(replace(tokens_of(features, (4, 4)), mask=mask), budget=1)
    assert plan.src.tolist() == mask.flatten().nonzero().flatten().tolist()


def test_of_equal_frames_the_earlier_ones_stay_fine():
    picture = torch.randn(1, 16, 8, generator=torch.Generator().manual_seed(2))
    plan = STTM.plan(tokens_of(picture.repeat(4, 1, 1), (4, 4)), budget=40)
    single = torch.bincount(plan.dst) == 1
    assert plan.frame_counts().tolist() == [16, 16, 8, 0]
    assert single.sum() > 16


@pytest.mark.parametrize("slack", [0.001, 0.02, 7 / 3, 1000.0])
def test_every_budget_is_met_at_any_slack(slack):
    picture = torch.randn(1, 25, 6, generator=torch.Generator().manual_seed(3))
    tokens = tokens_of(picture.repeat(3, 1, 1), (5, 5))
    for budget in (1, 2, 20, 37, 74, 75):
        assert create_strategy("sttm", time_slack=slack).plan(tokens, budget).num_out == budget


@pytest.mark.parametrize("slack", [0.0, -1.0, 1e9, float("nan")])
def test_the_slack_is_checked(slack):
    with pytest.raises(InvalidOptionError, match=r"a number from 0.001 to 1000"):
        create_strategy("sttm", time_slack=slack)


def test_the_root_level_is_checked():
    with pytest.raises(InvalidOptionError, match="root_level='-1' must be a whole number"):
        create_strategy("sttm:root_level=-1")


@pytest.mark.parametrize("frames", [1, 9])
def test_squares_that_weigh_the_same_need_no_float64_on_a_device(frames):
    tokens, strategy = random_tokens(frames), create_strategy("sttm", weighted=False)
    plan = strategy.plan(tokens, 6)
    with stand_in():
        on_device = strategy.plan(on_stand_in(tokens), 6).cpu()
    assert torch.equal(on_device.src, plan.src)
    assert torch.equal(on_device.dst, plan.dst)
    assert torch.equal(on_device.weight, plan.weight)
