import pytest
import torch

from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def counts(frames, budget, patches=10):
    features = torch.randn(frames, patches, 8, generator=torch.Generator().manual_seed(0))
    tokens = VideoTokens(
        features=features,
        grid=(2, patches // 2),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
    )
    return create_strategy("dycoke").plan(tokens, budget).frame_counts().tolist()


def test_one_frame_in_four_is_whole_and_the_others_share_evenly():
    assert counts(9, 3 * 10 + 6 * 4) == [10, 4, 4, 4, 10, 4, 4, 4, 10]


@pytest.mark.parametrize(
    ("frames", "budget", "expected"),
    [
        (1, 7, [7]),
        (2, 13, [10, 3]),
        (3, 14, [10, 2, 2]),
        (4, 16, [10, 2, 2, 2]),
        (5, 23, [10, 1, 1, 1, 10]),
        (7, 25, [10, 1, 1, 1, 10, 1, 1]),
    ],
)
def test_clips_of_few_or_an_odd_number_of_frames(frames, budget, expected):
    assert counts(frames, budget) == expected


def test_groups_grow_where_the_budget_is_small():
    assert counts(16, 34) == [10, *[1] * 7, 10, *[1] * 7]
    assert counts(16, 19)[0] == 10
    assert max(counts(16, 19)[1:]) == 1
    assert counts(16, 6) == [6, *[0] * 15]
