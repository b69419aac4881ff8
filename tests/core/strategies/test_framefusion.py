from dataclasses import replace

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def tokens_of(features, mask=None):
    times = torch.arange(len(features), dtype=torch.float64)
    grid = (1, features.shape[1])
    return VideoTokens(features=features, grid=grid, pts_seconds=times, mask=mask)


def test_runs_at_one_place_are_averaged_over_time():
    features = torch.tensor([[0.0, 0, 0, 1, 1], [0, 1, 1, 2, 2]]).long().T
    tokens = tokens_of(torch.eye(3)[features])
    plan = create_strategy("framefusion").plan(tokens, budget=5)
    found = [plan.src[plan.dst == row].tolist() for row in range(5)]
    assert sorted(found) == [[0, 2, 4], [1], [3, 5], [6, 8], [7, 9]]


def test_below_one_token_for_each_place_the_unusual_ones_survive():
    common, rare = torch.eye(2)
    still = torch.stack([common, common, common, rare]).repeat(6, 1, 1)
    plan = create_strategy("framefusion").plan(tokens_of(still), budget=1)
    assert plan.src.tolist() == [3, 7, 11, 15, 19, 23]


def test_of_equal_tokens_the_earlier_ones_stay_unmerged():
    plan = create_strategy("framefusion").plan(tokens_of(torch.ones(4, 3, 2)), budget=5)
    found = [plan.src[plan.dst == row].tolist() for row in range(5)]
    assert sorted(found) == [[0], [1], [2, 5, 8, 11], [3, 6, 9], [4, 7, 10]]


def test_equal_tokens_of_many_channels_tie():
    frame = 1 + torch.randn(1, 200, 1024, generator=torch.Generator().manual_seed(0))
    plan = create_strategy("framefusion").plan(tokens_of(frame.expand(3, -1, -1)), budget=590)
    assert plan.src[plan.weight < 1].tolist() == [
        token for place in range(190, 200) for token in (200 + place, 400 + place)
    ]


def test_a_place_may_skip_frames_that_are_masked():
    tokens = tokens_of(torch.ones(4, 2, 2))
    mask = torch.tensor([[True, False], [False, False], [True, True], [True, False]])
    plan = create_strategy("framefusion").plan(replace(tokens, mask=mask), budget=2)
    found = [plan.src[plan.dst == row].tolist() for row in range(2)]
    assert sorted(found) == [[0, 4, 6], [5]]


def test_the_threshold_is_checked():
    with pytest.raises(InvalidOptionError, match="a number from -1 to 1"):
        create_strategy("framefusion", threshold=1.5)
