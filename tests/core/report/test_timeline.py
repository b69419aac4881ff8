from dataclasses import replace

import pytest
import torch

from framesift.report.timeline import MOST_BARS, moment_decimals, timeline
from framesift.types.clock import clock
from framesift.types.plan import TokenPlan


def test_one_bar_a_second_in_a_short_video(sifted):
    line = timeline(sifted(frame_count=6)[0])
    assert [bar.per_second for bar in line.bars] == pytest.approx([12, 1, 2, 0, 1, 2])
    assert line.ticks_seconds == (0, 1, 2, 3, 4, 5, 6)
    assert line.levels == (0, 5, 10, 15)
    assert line.mean_per_second == pytest.approx(3)


def test_frames_that_lie_off_the_second_leave_no_gaps(sifted):
    video, _, _ = sifted(frame_count=9, plan=_all_tokens(9))
    jitter = torch.tensor([0, -0.04, 0, 0.04, 0, -0.04, 0, 0.04, 0], dtype=torch.float64)
    line = timeline(replace(video, frame_seconds=video.frame_seconds + jitter))
    rates = [bar.per_second for bar in line.bars]
    assert rates == pytest.approx([12] * 9, rel=0.05)


@pytest.mark.parametrize("spacing_seconds", [0.04, 0.5, 1.0, 1.3, 7.0])
@pytest.mark.parametrize("frame_count", [1, 2, 5, 400])
def test_no_token_is_lost(sifted, frame_count, spacing_seconds):
    video, _, _ = sifted(frame_count=frame_count, spacing_seconds=spacing_seconds)
    line = timeline(video)
    assert sum(bar.tokens for bar in line.bars) == pytest.approx(video.plan.num_out)
    assert len(line.bars) <= MOST_BARS + 1
    assert 2 <= len(line.levels) <= 5
    assert line.levels[-1] >= max(bar.per_second for bar in line.bars) * (1 - 1e-9)
    assert 1 <= len(line.ticks_seconds) <= 11


def test_two_hours_are_told_in_hours(sifted):
    line = timeline(sifted(frame_count=1800, spacing_seconds=4.0)[0])
    assert line.end_seconds == 7200
    assert {bar.end_seconds - bar.start_seconds for bar in line.bars} == {60.0}
    ticks = [clock(tick, line.decimals) for tick in line.ticks_seconds]
    assert ticks == [
        *("00:00", "15:00", "30:00", "45:00"),
        *("1:00:00", "1:15:00", "1:30:00", "1:45:00", "2:00:00"),
    ]


def test_one_second_has_ticks_that_differ(sifted):
    line = timeline(sifted(frame_count=10, spacing_seconds=0.1)[0])
    ticks = [clock(tick, line.decimals) for tick in line.ticks_seconds]
    assert len(set(ticks)) == len(ticks) >= 5


def test_a_single_frame_does_not_stretch_the_axis(sifted):
    line = timeline(sifted(frame_count=1, duration_seconds=13.0, fps=0.01)[0])
    assert (line.start_seconds, line.end_seconds) == (0, 13)


def test_a_clock_that_starts_late_starts_the_axis(sifted):
    video, _, _ = sifted(frame_count=6)
    line = timeline(replace(video, frame_seconds=video.frame_seconds + 36000.5))
    assert (line.start_seconds, line.end_seconds) == (36000, 36006.5)
    assert line.x(36000.5) == pytest.approx(100 * 0.5 / 6.5, abs=0.01)
    assert sum(bar.tokens for bar in line.bars) == pytest.approx(video.plan.num_out)


def test_a_clock_that_starts_below_zero_loses_nothing(sifted):
    video, _, _ = sifted(frame_count=6)
    line = timeline(replace(video, frame_seconds=video.frame_seconds - 0.5))
    assert sum(bar.tokens for bar in line.bars) == pytest.approx(video.plan.num_out)


@pytest.mark.parametrize(
    ("spacing_seconds", "decimals"), [(4.0, 0), (0.97, 1), (0.5, 1), (0.04, 2)]
)
def test_moments_have_the_digits_that_frames_need(sifted, spacing_seconds, decimals):
    video, _, _ = sifted(spacing_seconds=spacing_seconds)
    assert moment_decimals(video) == decimals


def test_tokens_of_a_segment_are_spread_over_its_frames(segmented):
    video, _, _ = segmented(frame_count=9, length=4)
    tokens = [bar.tokens for bar in timeline(video).bars]
    assert tokens == pytest.approx([1.5] * 8 + [4])
    assert sum(tokens) == pytest.approx(video.plan.num_out)


def _all_tokens(frames: int) -> TokenPlan:
    total = 12 * frames
    return TokenPlan.keep(torch.arange(total), num_in=total, tokens_per_frame=12)
