from itertools import pairwise

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.selectors.base import Selection
from framesift.selectors.keyframes import CANDIDATES
from framesift.testing.selectors import make_candidates
from framesift.types.tokens import VideoTokens


def scenes(*numbers, patches=6, channels=32):
    """Tokens of one frame per second; equal numbers look alike, others differ in every patch."""
    pictures = torch.eye(channels)[:, None].expand(-1, patches, -1)
    return VideoTokens(
        features=pictures[list(numbers)],
        grid=(1, patches),
        pts_seconds=torch.arange(len(numbers), dtype=torch.float64),
    )


def pick(spec, tokens, count):
    return registry.create(spec).select(make_candidates(tokens), count)


def test_uniform_takes_part_middles_or_both_ends():
    times = GivenCandidates(pts_seconds=torch.arange(10, dtype=torch.float64))
    assert registry.create("uniform").select(times, 2).indices == (2, 7)
    assert registry.create("uniform:ends=true").select(times, 4).indices == (0, 3, 6, 9)
    assert registry.create("uniform:ends=true").select(times, 1).indices == (5,)


def test_scene_takes_the_middle_between_the_cuts():
    selection = pick("scene", scenes(0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2), 3)
    assert selection.indices == (1, 5, 9)
    assert "100% of the picture changed" in selection.reasons[1]


def test_keyframes_cover_each_content_once_even_where_it_comes_back():
    numbers = [0] * 8 + [1] * 3 + [0] * 8 + [2] * 3 + [0] * 8 + [3] * 2 + [0] * 4
    selection = pick("keyframes", scenes(*numbers), 4)
    assert sorted(numbers[i] for i in selection.indices) == [0, 1, 2, 3]


def test_keyframes_find_a_single_odd_frame_in_a_still_video():
    numbers = [0] * 20 + [1] + [0] * 20
    assert 20 in pick("keyframes", scenes(*numbers), 2).indices


def test_keyframes_of_a_still_video_are_spread_over_time():
    indices = pick("keyframes", scenes(*[0] * 40), 4).indices
    assert min(b - a for a, b in pairwise(indices)) >= 5


def test_keyframes_say_what_they_stand_for():
    selection = pick("keyframes", scenes(0, 0, 0, 0, 1, 1), 2)
    assert "stands for 4 sampled frames, 0.0-3.0 s" in selection.reasons[0]
    assert "% of the picture is in no other keyframe" in selection.reasons[0]
    assert selection.scores[0] > selection.scores[1] > 0


def test_keyframes_of_a_long_video_compare_a_bounded_number_of_frames():
    numbers = [0] * (2 * CANDIDATES) + [1] * 3 + [0] * 50
    indices = pick("keyframes", scenes(*numbers, patches=2), 3).indices
    assert any(numbers[i] == 1 for i in indices)


def test_keyframes_check_their_option():
    with pytest.raises(InvalidOptionError, match="distinct"):
        registry.create("keyframes:distinct=0")


def test_what_changed_is_the_share_of_patches():
    tokens = scenes(0, 0, 0, 1, 1, 1)
    tokens.features[3:, :3] = tokens.features[:3, :3]
    assert "where 50% of the picture changed" in pick("scene", tokens, 2).reasons[1]
    for reason in pick("keyframes", tokens, 2).reasons:
        assert "; 50.0% of the picture is in no other keyframe" in reason


def test_a_selection_is_ascending_and_unique():
    with pytest.raises(ValueError, match="ascending"):
        Selection(indices=(1, 1), scores=(0.0, 0.0), reasons=("a", "b"))
    with pytest.raises(ValueError, match="one entry"):
        Selection(indices=(1, 2), scores=(0.0,), reasons=("a", "b"))
