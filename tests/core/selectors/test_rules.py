from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch

from framesift.errors import InvalidOptionError, SelectionError
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.selectors.base import Selection, Selector
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


@dataclass(frozen=True, kw_only=True)
class Careless(Selector):
    """A rule of another package, which returns whatever it was told to."""

    gives: object = None

    def choose(self, candidates, count, question):
        return self.gives


def chosen(*places, score=0.5, reason="x", **fields):
    count = len(places)
    return Selection(indices=places, scores=(score,) * count, reasons=(reason,) * count, **fields)


@pytest.mark.parametrize(
    ("gives", "told"),
    [
        (None, "gave None instead of a Selection"),
        (chosen(0), "picked 1 frames where 2 were asked"),
        (chosen(0, 1, 2), "picked 3 frames where 2 were asked"),
        (chosen(-1, 2), "picked -1; picks are whole numbers from 0 to 4"),
        (chosen(1, 5), "picked 5; picks are whole numbers from 0 to 4"),
        (chosen(0.0, 1.0), "picked 0.0; picks are whole numbers"),
        (chosen(0, 1, curve=(1.0,)), "gave a curve of 1 scores for 5 candidates"),
        (chosen(0, 1, curve=(float("-inf"),) * 5), "gave a score of -inf"),
        (chosen(0, 1, score=float("nan")), "gave a score of nan"),
        (chosen(0, 1, reason=None), "gave reasons that are no text"),
    ],
)
def test_a_rule_of_another_package_is_held_to_the_contract(gives, told):
    times = GivenCandidates(pts_seconds=torch.arange(5, dtype=torch.float64))
    with pytest.raises(SelectionError, match=told):
        Careless(gives=gives).select(times, 2)


def test_places_may_be_whole_numbers_of_numpy():
    times = GivenCandidates(pts_seconds=torch.arange(5, dtype=torch.float64))
    right = chosen(*np.arange(2))
    assert Careless(gives=right).select(times, 2) is right


@pytest.mark.parametrize(
    "spec",
    [
        "gumbel:seed=18446744073709551616",
        "dpp:relevance=1e308",
        "dpp-temporal:relevance=101",
        "ucb:temperature=1e-320",
    ],
)
def test_a_number_that_no_draw_or_weight_can_hold_is_refused(spec):
    with pytest.raises(InvalidOptionError, match=r"must be a (whole )?number"):
        registry.create(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "gumbel:seed=18446744073709551615",
        "dpp:relevance=100",
        "dpp-temporal:relevance=100",
        "ucb:temperature=1e-6",
        "ucb:temperature=1e6",
    ],
)
def test_the_last_number_that_is_allowed_still_picks(spec):
    assert len(pick(spec, scenes(0, 1, 1, 2, 3, 3, 4, 5), 3).indices) == 3


def test_a_selection_is_ascending_and_unique():
    with pytest.raises(ValueError, match="ascending"):
        Selection(indices=(1, 1), scores=(0.0, 0.0), reasons=("a", "b"))
    with pytest.raises(ValueError, match="one entry"):
        Selection(indices=(1, 2), scores=(0.0,), reasons=("a", "b"))
