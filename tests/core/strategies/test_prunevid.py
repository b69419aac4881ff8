import pytest
import torch

from framesift.strategies._static import stillest
from framesift.strategies.base import create_strategy
from framesift.strategies.prunevid import _counts, _refined
from framesift.types.tokens import VideoTokens
from goldens.prunevid import refined


@pytest.mark.parametrize("frames", [1, 2, 5, 12, 30])
def test_segments_are_refined_as_in_the_transcription(frames):
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        runs = torch.randint(0, 4, (frames,), generator=generator)
        lengths = torch.randint(1, 4, (frames,), generator=generator)
        labels = runs.repeat_interleave(lengths)[:frames].tolist()
        expected = [(run[0], run[-1] + 1) for run in refined(labels)]
        assert _refined(labels) == expected


@pytest.mark.parametrize(
    ("labels", "lengths"),
    [
        ("aaabcccc", [3, 5]),
        ("aaacbbb", [4, 3]),
        ("aaabbbbbbbbbbbbaaa", [3, 12, 3]),
        ("aabaacddd", [6, 3]),
        ("xxaaybbbbzcccccc", [2, 2, 5, 7]),
        ("abc", [3]),
        ("a", [1]),
    ],
)
def test_runs_grow_from_left_to_right(labels, lengths):
    assert [stop - start for start, stop in _refined(labels)] == lengths


def test_small_groups_stay_whole_only_where_the_budget_has_room():
    assert _counts([30, 10, 40], 45, 14) == [15, 10, 20]
    assert _counts([30, 10, 40], 12, 14) == [1, 10, 1]
    assert _counts([30, 10, 40], 11, 14) == [4, 1, 6]
    assert _counts([10, 14], 24, 14) == [10, 14]


def test_groups_of_equal_size_get_equal_counts():
    assert _counts([20, 36, 20, 36, 20], 66, 14) == [10, 18, 10, 18, 10]
    assert _counts([36] * 16, 288, 14) == [18] * 16


def test_the_most_alike_places_are_still_first_and_no_more_than_may_be_saved():
    alike = torch.tensor([[0.9, 0.95, 0.95, 0.99, 0.7], [-2.0, -2.0, -2.0, -2.0, -2.0]])
    lengths = torch.tensor([3, 1])
    order = [3, 1, 2, 0]
    for allowed in range(12):
        found = stillest(alike, lengths, threshold=0.8, allowed=allowed)
        assert found.nonzero()[:, 1].tolist() == sorted(order[: allowed // 2])
        assert not found[1].any()


def test_a_segment_of_frames_becomes_the_mean_of_its_still_places():
    generator = torch.Generator().manual_seed(0)
    scenes = torch.randn(2, 6, 32, generator=generator).repeat_interleave(4, 0)
    features = scenes + 0.05 * torch.randn(8, 6, 32, generator=generator)
    tokens = VideoTokens(
        features=features, grid=(2, 3), pts_seconds=torch.arange(8, dtype=torch.float64)
    )
    plan = create_strategy("prunevid").plan(tokens, 12)
    means = features.view(2, 4, 6, 32).mean(1).flatten(0, 1)
    assert torch.allclose(plan.apply(features), means, atol=1e-6)
