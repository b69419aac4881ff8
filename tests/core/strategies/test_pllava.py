import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def tokens_of(frames, height, width, mask=None):
    features = torch.randn(frames, height * width, 4, generator=torch.Generator().manual_seed(0))
    return VideoTokens(
        features=features,
        grid=(height, width),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        mask=mask,
    )


@pytest.mark.parametrize(
    ("shape", "budget", "count"),
    [
        ((8, 14, 14), 392, 8 * 7 * 7),
        ((8, 14, 14), 8 * 47, 8 * 7 * 6),
        ((8, 14, 14), 8 * 3 + 7, 8 * 2),
        ((8, 14, 14), 8, 8),
        ((8, 14, 14), 7, 7),
        ((2, 3, 12), 2 * 11, 2 * 10),
        ((2, 1, 9), 11, 2 * 5),
    ],
)
def test_the_largest_layout_of_fair_proportions_is_taken(shape, budget, count):
    assert create_strategy("pllava").plan(tokens_of(*shape), budget).num_out == count


def test_the_published_layout():
    plan = create_strategy("pllava").plan(tokens_of(16, 24, 24), 16 * 12 * 12)
    assert plan.num_out == 16 * 12 * 12
    assert set(plan.weight.tolist()) == {0.25}


def test_time_is_pooled_where_it_is_asked_for():
    plan = create_strategy("pllava:frames=2").plan(tokens_of(5, 4, 4), 8)
    times = plan.normalized().apply(torch.arange(5.0).repeat_interleave(16)[:, None])
    assert times.flatten().tolist() == pytest.approx([1.0] * 4 + [3.0] * 4)


def test_a_window_without_live_tokens_gives_none():
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[:, :3] = True
    plan = create_strategy("pllava").plan(tokens_of(2, 4, 4, mask), 4)
    assert plan.num_out == 4
    assert mask.flatten()[plan.src].all()
    assert plan.weight.tolist() == [0.5, 0.5, 1.0] * 2


@pytest.mark.parametrize("frames", [0, -1])
def test_time_steps_are_checked(frames):
    with pytest.raises(InvalidOptionError, match=f"frames={frames}"):
        create_strategy("pllava", frames=frames)


def test_the_report_says_what_the_layout_leaves_of_the_budget():
    video = VideoCompressor(strategy="pllava", keep=0.3).compress("synthetic://mixed?seconds=3")
    assert video.report.tokens_out == 3 * 8 * 7 < video.report.budget == 176
    assert video.report.warnings == [
        "strategy 'pllava' gives 168 tokens, those of its largest layout within the budget of 176"
    ]
