import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from framesift.errors import InvalidOptionError
from framesift.strategies.base import create_strategy
from framesift.strategies.slow_fast_layout import SlowFastLayout
from framesift.types.tokens import VideoTokens

SIDES_28 = SlowFastLayout(grid=(28, 28), key_grid=(14, 14), time_grid=(7, 7))


def video(frames, height, width, mask=None, channels=4):
    features = torch.randn(
        frames, height * width, channels, generator=torch.Generator().manual_seed(0)
    )
    return VideoTokens(
        features=features,
        grid=(height, width),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        mask=mask,
    )


def published_count(frames):
    """Returns the number of tokens that the page states: 196 S + 49 S'."""
    segments = [min(4, frames - start) for start in range(0, frames, 4)]
    return 196 * len(segments) + 49 * sum(size >= 2 for size in segments)


def test_the_number_of_tokens_is_the_published_one():
    assert [SIDES_28.count(frames) for frames in range(1, 201)] == [
        published_count(frames) for frames in range(1, 201)
    ]
    assert SIDES_28.count(96) == 5880
    assert SIDES_28.count(97) == 6076


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6, 9, 23, 96, 97])
def test_a_plan_has_as_many_rows_as_the_closed_form_says(frames):
    segments = SIDES_28.segments(range(frames))
    assert SIDES_28.rows(segments, frames).plan.num_out == published_count(frames)


@pytest.mark.parametrize(
    ("spec", "grid", "frames", "count"),
    [
        ("slow-fast", (27, 27), 4, 196 + 49),
        ("slow-fast", (14, 14), 8, 2 * (196 + 49)),
        ("slow-fast", (8, 8), 5, 64 + 16 + 64),
        ("slow-fast:key_stride=2", (8, 8), 4, 16 + 4),
        ("slow-fast:time_stride=8", (8, 8), 4, 64 + 1),
        ("slow-fast:segment=2", (8, 8), 4, 2 * (64 + 16)),
        ("slow-fast:segment=1,key_stride=2", (8, 8), 4, 4 * 16),
        ("slow-fast:segment=1,key_stride=2,remainder=repeat", (8, 8), 4, 4 * (16 + 4)),
        ("slow-fast:remainder=repeat", (8, 8), 5, 2 * (64 + 16)),
        ("slow-fast:remainder=merge", (8, 8), 5, 64 + 16),
        ("slow-fast:layout=slowfast-llava", (24, 24), 50, 2880 + 800),
        ("slow-fast:layout=slowfast-llava", (3, 27), 1, 3 * 14 + 3 * 4),
        ("slow-fast:layout=llava-video", (27, 27), 21, 3 * 196 + 18 * 49),
    ],
)
def test_the_layouts_have_their_counts(spec, grid, frames, count):
    assert create_strategy(spec).layout_on(grid).count(frames) == count
    tokens = video(frames, *grid)
    if count < tokens.count:
        assert create_strategy(spec).plan(tokens, tokens.count - 1).num_out == count


@pytest.mark.parametrize("options", ["", ":include_key=true", ":include_key=true,remainder=merge"])
@pytest.mark.parametrize("grid", [(8, 8), (27, 20)])
def test_rows_are_means_over_the_windows_of_adaptive_pooling(options, grid):
    strategy, tokens = create_strategy(f"slow-fast{options}"), video(9, *grid)
    rows = strategy.rows(tokens, range(9))
    out = rows.plan.apply(tokens.features)
    layout = strategy.layout_on(grid)
    pictures = tokens.features.view(9, *grid, 4).permute(0, 3, 1, 2)  # (T, D, h, w)
    for number, segment in enumerate(rows.segments):
        own = rows.segment == number
        key = adaptive_avg_pool2d(pictures[segment.key], layout.key_grid).flatten(1).T
        torch.testing.assert_close(out[own & rows.is_key], key, rtol=0, atol=1e-6)
        assert rows.cell[own & rows.is_key].tolist() == list(range(len(key)))
        frames = list(segment.frames)
        if len(frames) == 1:
            assert bool(rows.is_key[own].all())
            continue
        frames = frames if "true" in options else frames[1:]
        volume = pictures[frames].transpose(0, 1)  # (D, f, h, w)
        time = adaptive_avg_pool3d(volume, (1, *layout.time_grid)).flatten(1).T
        torch.testing.assert_close(out[own & ~rows.is_key], time, rtol=0, atol=1e-6)
        assert rows.cell[own & ~rows.is_key].tolist() == list(range(len(time)))


def test_a_segment_stands_in_one_piece_with_its_key_frame_first():
    rows = create_strategy("slow-fast").rows(video(12, 8, 8), range(12))
    assert rows.segment.tolist() == [0] * 80 + [1] * 80 + [2] * 80
    assert rows.is_key.tolist() == ([True] * 64 + [False] * 16) * 3


@pytest.mark.parametrize(
    ("budget", "frames", "count"),
    [
        (64, [6], 64),
        (79, [6], 64),
        (80, [1, 4, 7, 10], 80),  # two to four frames have as many
        (143, [1, 4, 7, 10], 80),
        (144, [1, 3, 6, 8, 10], 144),
        (160, [0, 2, 3, 5, 6, 8, 9, 11], 160),
        (239, [0, 2, 3, 4, 6, 7, 8, 10, 11], 224),
        (240, list(range(12)), 240),
        (767, list(range(12)), 240),
    ],
)
def test_the_most_evenly_spaced_frames_that_fit_are_shown(budget, frames, count):
    tokens = video(12, 8, 8)
    plan = create_strategy("slow-fast").plan(tokens, budget)
    assert plan.num_out == count
    assert plan.used.view(12, 64).any(1).nonzero().flatten().tolist() == frames


@pytest.mark.parametrize(("budget", "count"), [(1, 1), (5, 4), (37, 36), (63, 56)])
def test_a_budget_below_a_key_frame_shows_the_middle_frame_on_the_largest_grid(budget, count):
    plan = create_strategy("slow-fast").plan(video(5, 8, 8), budget)
    assert plan.num_out == count
    assert (plan.src // 64).unique().tolist() == [2]


@pytest.mark.parametrize("key", ["first", "informative"])
@pytest.mark.parametrize("include_key", ["true", "false"])
@pytest.mark.parametrize(
    "layout",
    [
        "clapper",
        "clapper,remainder=repeat",
        "clapper,remainder=merge",
        "slowfast-llava",
        "llava-video",
    ],
)
def test_masked_tokens_leave_room_for_more_frames(layout, include_key, key):
    strategy = create_strategy(f"slow-fast:layout={layout},include_key={include_key},key={key}")
    mask = torch.rand(21, 64, generator=torch.Generator().manual_seed(2)) < 0.2
    mask[3] = False
    tokens = video(21, 8, 8, mask)
    shown = mask.any(1).nonzero().flatten()

    def rows_of(count):
        places = ((2 * torch.arange(count) + 1) * len(shown)) // (2 * count)
        return strategy.rows(tokens, shown[places].tolist()).plan.num_out

    everything = rows_of(len(shown))
    for budget in (100, everything - 1, everything):
        plan = strategy.plan(tokens, budget)
        used = int(plan.used.view(21, 64).any(1).sum())
        assert plan.num_out == rows_of(used) <= budget
        assert bool(mask.flatten()[plan.src].all())
        if key == "first":  # else the fullest frame of a segment counts as if it were the key
            assert all(rows_of(more) > budget for more in range(used + 1, len(shown) + 1))
            assert used == 20 or budget < everything


def test_the_informative_key_frame_departs_most_from_its_segment():
    tokens = video(8, 4, 4)
    tokens.features[:] = 0.0
    tokens.features[2] = 1.0
    tokens.features[5] = -3.0
    tokens.features[6] = -3.0
    rows = create_strategy("slow-fast:key=informative").rows(tokens, range(8))
    assert [segment.key for segment in rows.segments] == [2, 4]  # equally far: the earlier one
    tokens.features[4] = -2.0
    rows = create_strategy("slow-fast:key=informative").rows(tokens, range(8))
    assert [segment.key for segment in rows.segments] == [2, 7]


def test_a_remainder_is_for_whole_segments_alone():
    with pytest.raises(InvalidOptionError, match="remainder='merge' is for temporal tokens of"):
        create_strategy("slow-fast:layout=llava-video,remainder=merge")
    with pytest.raises(InvalidOptionError, match="segment=0"):
        create_strategy("slow-fast", segment=0)
