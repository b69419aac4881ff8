from dataclasses import replace

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.strategies.base import create_strategy
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


@pytest.mark.parametrize("slack", [0.0, -1.0, 1e9, float("nan")])
def test_the_slack_is_checked(slack):
    with pytest.raises(InvalidOptionError, match=r"within \[0.01, 100\]"):
        create_strategy("sttm", time_slack=slack)
