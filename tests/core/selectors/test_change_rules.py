"""Rules that look at how pictures change: peaks of change, and near-duplicates."""

from itertools import pairwise

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.types.tokens import VideoTokens


def select(spec, features, count):
    times = torch.arange(len(features), dtype=torch.float64)
    tokens = VideoTokens(features=features, grid=(1, features.shape[1]), pts_seconds=times)
    given = GivenCandidates(pts_seconds=times, given_tokens=tokens)
    return registry.create(spec).select(given, count)


def pictures(*numbers, patches=8, channels=64):
    """One frame per number; equal numbers look alike, others differ in every patch."""
    return torch.eye(channels)[list(numbers)][:, None].repeat(1, patches, 1)


def test_cafs_takes_the_middle_of_each_stretch():
    selection = select("cafs", pictures(*[0] * 9, *[1] * 5, *[2] * 7), 3)
    assert selection.indices == (4, 11, 17)
    assert "after a change of 1.00" in selection.reasons[1]
    assert selection.curve[9] == selection.curve[14] == 1.0


def test_cafs_shares_more_frames_by_length():
    selection = select("cafs", pictures(*[0] * 30, *[1] * 10), 4)
    assert selection.indices == pytest.approx((5, 14, 24, 34), abs=1)


def test_cafs_cuts_at_the_most_prominent_peaks_where_there_are_too_many():
    features = pictures(*[0] * 8, *[1] * 8, *[2] * 8)
    features[4:8, :2] = pictures(9)[:, :2]  # a quarter of the picture changes
    selection = select("cafs", features, 3)
    assert selection.curve[4] == pytest.approx(0.25)
    assert [number // 8 for number in selection.indices] == [0, 1, 2]


def test_cafs_finds_a_change_in_the_last_frame():
    assert 9 in select("cafs", pictures(*[0] * 9, 1), 2).indices


def test_cafs_ignores_what_does_not_stand_out():
    draw = torch.Generator().manual_seed(0)
    features = pictures(*[0] * 40) + 0.01 * torch.randn(40, 8, 64, generator=draw)
    gaps = [b - a for a, b in pairwise(select("cafs", features, 4).indices)]
    assert max(gaps) - min(gaps) <= 1


def test_cafs_checks_its_prominence():
    with pytest.raises(InvalidOptionError, match="prominence"):
        registry.create("cafs:prominence=0")


def test_dedupe_keeps_what_differs_from_the_last_kept():
    selection = select("dedupe", pictures(0, 0, 0, 1, 1, 0, 0, 2, 2, 2), 3)
    assert selection.indices == (0, 3, 7)
    assert "100% of the picture is in none of the 4 kept before" in selection.reasons[1]


def test_dedupe_remembers_only_the_last_kept():
    numbers = [0, 1, 2, 3, 4, 0, 0, 0]
    assert select("dedupe", pictures(*numbers), 6).indices == (0, 1, 2, 3, 4, 5)
    wide = select("dedupe:memory=5", pictures(*numbers), 6)
    assert "near-duplicate" in wide.reasons[-1]


def test_slow_changes_add_up():
    features = pictures(*[0] * 9)
    for frame in range(9):
        features[frame, :frame] = pictures(1)[0, :frame]  # one of eight patches a frame
    assert select("dedupe:different=0.5", features, 3).indices == (0, 4, 8)


def test_dedupe_raises_its_threshold_instead_of_cutting_the_end_off():
    features = pictures(*[0] * 40)
    for frame in range(40):
        features[frame, : 1 + frame % 2] = pictures(10 + frame % 50)[0, : 1 + frame % 2]
    features[30:] = pictures(*range(1, 11))
    selection = select("dedupe", features, 11)
    assert selection.indices == (0, *range(30, 40))


def test_duplicates_that_fill_up_are_spread_over_time():
    selection = select("dedupe", pictures(*[0] * 33), 5)
    assert selection.indices == (0, 8, 16, 24, 32)
    assert "widest gap" in selection.reasons[2]


@pytest.mark.parametrize("rule", ["cafs", "dedupe"])
@pytest.mark.parametrize("total", [2, 3, 8, 41])
@pytest.mark.parametrize("kind", ["noise", "still", "zero", "half"])
def test_the_count_is_exact_whatever_frames_look_like(rule, total, kind):
    features = torch.randn(total, 3, 5, generator=torch.Generator().manual_seed(1))
    features = {
        "noise": features,
        "still": features[:1].repeat(total, 1, 1),
        "zero": features * (torch.arange(total) % 3 > 0)[:, None, None],
        "half": features.half(),
    }[kind]
    for count in {1, 2, total // 2, total - 1} - {total}:
        assert len(set(select(rule, features, count).indices)) == count
