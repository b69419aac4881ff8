import itertools

import pytest
import torch

from framesift.strategies._segmentation import best_lengths, best_segments
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens


def saved_by(same, lengths):
    saved, start = 0, 0
    for length in lengths:
        saved += (length - 1) * int(same[start : start + length - 1].all(0).sum())
        start += length
    return saved


def compositions(total):
    for cuts in itertools.product([False, True], repeat=total - 1):
        edges = [0, *(place + 1 for place, cut in enumerate(cuts) if cut), total]
        yield [after - before for before, after in itertools.pairwise(edges)]


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("window", [1, 3, 1024])
def test_no_other_division_saves_more(frames, window):
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        same = torch.rand(frames - 1, 5, generator=generator) < 0.7
        saved, lengths = best_lengths(same, window)
        assert saved == saved_by(same, lengths[::-1])
        allowed = (own for own in compositions(frames) if max(own) <= window)
        assert saved == max(saved_by(same, own) for own in allowed)


def test_what_changes_most_is_not_merged_where_segments_would_undercut_the_budget():
    similarity = torch.tensor([[0.85, 0.9, 0.95, 0.99]]).double()
    for allowed in range(5):
        found = best_segments(similarity, threshold=0.8, window=9, allowed=allowed)
        assert found.lengths == [2]
        assert found.still.tolist() == [[place >= 4 - allowed for place in range(4)]]


def test_a_static_video_is_merged_at_as_many_places_as_the_budget_allows():
    still = torch.randn(1, 8, 16, generator=torch.Generator().manual_seed(0)).repeat(6, 1, 1)
    for budget, places in ((8, 8), (13, 7), (30, 3), (44, 0)):
        plan = create_strategy("holitom").plan(video(still), budget)
        merged = torch.bincount(plan.dst).ge(6)
        assert int(merged.sum()) == places
        assert sorted((plan.sources[merged] % 8).tolist()) == list(range(places))


def video(features):
    frames, patches, _ = features.shape
    return VideoTokens(
        features=features,
        grid=(1, patches),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(attention=torch.linspace(0, 1, frames * patches).view(frames, patches)),
    )


def test_a_still_place_becomes_one_token_of_its_segment():
    features = torch.randn(6, 5, 64, generator=torch.Generator().manual_seed(0))
    features[:4, 2] = features[0, 2]
    plan = create_strategy("holitom").plan(video(features), 27)
    (row,) = (plan.dst[plan.src == 2]).tolist()
    assert plan.src[plan.dst == row].tolist() == [2, 7, 12, 17]
    assert plan.weight[plan.dst == row].tolist() == [0.25] * 4
