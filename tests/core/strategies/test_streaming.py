import pickle

import pytest
import torch

from framesift import StreamingCompressor
from framesift.errors import BudgetError, InvalidOptionError, InvalidTokensError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def drifting(frames=40, patches=12, channels=16, *, dtype=torch.float32):
    """Returns features `(T, N, D)` that drift, each place at its own speed, with some cuts."""
    generator = torch.Generator().manual_seed(0)
    speed = torch.rand(patches, 1, generator=generator)
    steps = torch.randn(frames, patches, channels, generator=generator) * speed * 0.4
    cuts = torch.rand(frames, patches, 1, generator=generator) < 0.05
    return (steps + cuts * torch.randn(steps.shape, generator=generator)).cumsum(0).to(dtype)


def streamed(compressor, features, *, fps=1.0, live=None):
    parts = [
        compressor.push(frame, index / fps, None if live is None else live[index])
        for index, frame in enumerate(features)
    ]
    assert [part.frame for part in parts] == list(range(len(features)))
    for part, frame in zip(parts, features, strict=True):
        assert torch.equal(part.features, frame[part.patches])
        assert part.features.dtype == features.dtype
    return parts


def sources(parts, patches):
    return [part.frame * patches + patch for part in parts for patch in part.patches.tolist()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.5, 0.8, 0.9, 0.97, 0.999, 1.0])
def test_a_finished_stream_is_the_batch_at_the_same_threshold(threshold, dtype):
    features = drifting(dtype=dtype)
    mask = torch.rand(features.shape[:2], generator=torch.Generator().manual_seed(1)) < 0.8
    for live in (None, mask):
        compressor = StreamingCompressor(threshold=threshold)
        kept = sources(streamed(compressor, features, live=live), 12)
        tokens = VideoTokens(
            features=features,
            grid=(3, 4),
            pts_seconds=torch.arange(40, dtype=torch.float64),
            mask=live,
        )
        plan = create_strategy("temporal", threshold=threshold).plan(tokens, len(kept))
        assert plan.src.tolist() == kept
        assert compressor.tokens_out == len(kept)


def test_a_still_stream_is_its_first_frame():
    still = torch.ones(1, 6, 4).expand(50, -1, -1)
    assert sources(streamed(StreamingCompressor(), still), 6) == list(range(6))


@pytest.mark.parametrize("budget", [1, 7, 40, 300])
@pytest.mark.parametrize("fps", [0.5, 4.0])
def test_no_minute_holds_more_than_its_budget(budget, fps):
    features = drifting(300)
    parts = streamed(StreamingCompressor(tokens_per_minute=budget), features, fps=fps)
    counts = torch.tensor([len(part.patches) for part in parts])
    window = int(60 * fps)
    minutes = counts.cumsum(0) - torch.cat([counts.new_zeros(window), counts.cumsum(0)[:-window]])
    assert int(minutes.max()) <= budget
    assert int(minutes[window:].min()) >= min(budget, 7) // 2


def test_a_budget_that_is_never_reached_changes_nothing():
    features = drifting()
    free = sources(streamed(StreamingCompressor(), features), 12)
    wide = StreamingCompressor(tokens_per_minute=10 * features[..., 0].numel())
    assert sources(streamed(wide, features), 12) == free


def test_what_changed_most_comes_first_and_the_rest_follows():
    compressor = StreamingCompressor(threshold=0.9, tokens_per_minute=24)
    ones = torch.ones(6, 2)
    assert len(compressor.push(ones, 0.0).patches) == 6
    turned = ones * torch.tensor([1.0, -1.0])
    turned[3] = -1.0
    turned[:2] = 1.0
    found = [compressor.push(turned, second).patches.tolist() for second in (1.0, 61.0)]
    assert found == [[2, 3, 4, 5], []]
    tight = StreamingCompressor(threshold=0.9, tokens_per_minute=4)
    seen = [tight.push(ones if t == 0 else turned, float(t)).patches.tolist() for t in range(4)]
    assert list(map(len, seen)) == [2, 1, 1, 0]


def test_memory_is_that_of_one_frame():
    compressor = StreamingCompressor(tokens_per_minute=100)
    sizes = []
    for index, frame in enumerate(drifting(600)):
        compressor.push(frame, float(index))
        sizes.append(len(pickle.dumps(compressor)))
    assert max(sizes[300:]) <= max(sizes[60:300]) + 100
    assert max(sizes) < 12 * 16 * 4 + 6000


@pytest.mark.parametrize(
    ("frame", "seconds", "message"),
    [
        (torch.ones(5, 4), 2.0, r"frame 1 has \(5, 4\).* before \(6, 4\)"),
        (torch.ones(6, 4, device="meta"), 2.0, "meta.*cpu"),
        (torch.ones(6, 4), 0.5, "at 0.5 s.*1.0 s"),
        (torch.ones(6, 4), float("nan"), "at nan s"),
        (
            torch.ones(6, 4).index_fill(0, torch.tensor([3]), float("inf")),
            2.0,
            "patch 3 of frame 1",
        ),
        (torch.ones(6, 4, dtype=torch.int64), 2.0, "int64"),
        (torch.ones(0, 4), 2.0, "N >= 1"),
        ([[1.0] * 4] * 6, 2.0, r"features of a frame must be a tensor, got \[\["),
        (torch.ones(6, 4), "late", "at 'late' s"),
        (torch.ones(6, 4), None, "at None s"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_and_the_stream_goes_on(frame, seconds, message):
    compressor = StreamingCompressor()
    compressor.push(torch.ones(6, 4), 1.0)
    with pytest.raises(InvalidTokensError, match=message) as error:
        compressor.push(frame, seconds)
    assert "\n" not in str(error.value)
    assert compressor.frames_in == 1
    assert len(compressor.push(-torch.ones(6, 4), 2.0).patches) == 6


def test_a_mask_of_another_kind_is_refused():
    with pytest.raises(InvalidTokensError, match=r"live must be .*bool \(6,\)"):
        StreamingCompressor().push(torch.ones(6, 4), 0.0, torch.ones(6))
    with pytest.raises(InvalidTokensError, match=r"live of a frame must be a tensor, got \[True"):
        StreamingCompressor().push(torch.ones(6, 4), 0.0, [True] * 6)


def test_the_strategy_states_the_threshold():
    by_option = StreamingCompressor(threshold=0.8)
    by_spec = StreamingCompressor(strategy="temporal:threshold=0.8")
    features = drifting()
    assert by_spec.threshold == 0.8
    assert sources(streamed(by_spec, features), 12) == sources(streamed(by_option, features), 12)


def test_there_is_nothing_left_at_the_end_and_nothing_comes_behind_it():
    compressor = StreamingCompressor()
    compressor.push(torch.ones(6, 4), 0.0)
    assert compressor.finish() is None
    with pytest.raises(InvalidTokensError, match="ended after 1 frames"):
        compressor.push(torch.ones(6, 4), 1.0)
    with pytest.raises(InvalidTokensError, match="ended after 1 frames"):
        compressor.finish()


@pytest.mark.parametrize("strategy", ["tome", "uniform", "temporal | random", "pllava"])
def test_what_needs_the_whole_video_is_refused(strategy):
    with pytest.raises(InvalidOptionError, match=r"needs all frames .* 'temporal' or 'slow-fast'"):
        StreamingCompressor(strategy=strategy)


def test_rules_out_of_range_are_refused():
    with pytest.raises(InvalidOptionError, match=r"threshold=1\.5"):
        StreamingCompressor(threshold=1.5)
    with pytest.raises(BudgetError, match="tokens_per_minute=0"):
        StreamingCompressor(tokens_per_minute=0)
