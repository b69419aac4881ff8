from dataclasses import replace

import torch

from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def turning(*degrees, places=4):
    """Returns places of which the first turns by the degrees given for each frame."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    features = torch.ones(len(degrees), places, 2)
    features[:, 0] = torch.stack([angle.cos(), angle.sin()], -1).float()
    return VideoTokens(
        features=features,
        grid=(1, places),
        pts_seconds=torch.arange(len(degrees), dtype=torch.float64),
    )


def kept(tokens, budget):
    return create_strategy("evs").plan(tokens, budget).src.tolist()


def test_the_first_frame_stays_whole_and_the_largest_steps_follow():
    assert kept(turning(0, 10, 40, 41, 90), 6) == [0, 1, 2, 3, 8, 16]


def test_a_frame_without_change_may_keep_nothing():
    assert kept(turning(0, 0, 0, 30), 5) == [0, 1, 2, 3, 12]


def test_a_slow_change_stays_below_a_quick_one():
    slow_then_quick = turning(0, 20, 40, 60, 80, 105)
    assert kept(slow_then_quick, 5) == [0, 1, 2, 3, 20]


def test_a_budget_below_one_frame_is_spread_over_the_first():
    assert kept(turning(0, 90, 180, places=8), 2) == [2, 6]


def test_a_place_is_compared_with_its_last_live_token():
    tokens = turning(0, 90, 0, 0, places=2)
    mask = torch.ones(4, 2, dtype=torch.bool)
    mask[1, 0] = mask[0, 1] = False
    masked = replace(tokens, mask=mask)
    plan = create_strategy("evs").plan(masked, 2)
    assert plan.src.tolist() == [0, 3]
    tokens.features[3, 0] = -1
    assert kept(masked, 3) == [0, 3, 6]
