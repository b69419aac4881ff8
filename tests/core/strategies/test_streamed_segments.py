"""A stream of segments gives what the strategy gives of the whole video."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("transformers")

from framesift import StreamingCompressor, VideoCompressor, load_vlm
from framesift.errors import (
    BudgetError,
    InvalidOptionError,
    InvalidTokensError,
    MissingSignalError,
)
from framesift.nn.time_perceiver import TimePerceiverConfig
from framesift.nn.time_perceiver_files import (
    SlowFastFilling,
    TimePerceiverCard,
    TrainedFor,
    save_filling,
)
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens

GRID, CHANNELS = (6, 5), 8
SPECS = [
    "slow-fast",
    "slow-fast:key_stride=1,time_stride=3",
    "slow-fast:segment=2,remainder=merge",
    "slow-fast:remainder=merge,include_key=true",
    "slow-fast:remainder=repeat,key=informative,include_key=true",
    "slow-fast:segment=1",
    "slow-fast:layout=slowfast-llava",
    "slow-fast:layout=llava-video,segment=3",
]


CARD = TimePerceiverCard(
    perceiver=TimePerceiverConfig(width=CHANNELS, grid=GRID, out_grid=(3, 3), head_dim=8),
    stage="post",
    projector=None,
    segment=4,
    key_grid=GRID,
    include_key=True,
    trained_for=TrainedFor(vlm="tiny", fingerprint="0123456789abcdef"),
    trained_on="synthetic://",
)


def noise(frames, grid=GRID, channels=CHANNELS, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(frames, grid[0] * grid[1], channels, generator=generator).to(dtype)


def whole(strategy, features, grid=GRID, mask=None, **signals):
    """Returns the tokens of a video, and the plan of all its frames."""
    tokens = VideoTokens(
        features=features,
        grid=grid,
        pts_seconds=torch.arange(len(features), dtype=torch.float64) / 2,
        mask=mask,
        signals=Signals(**signals),
    )
    shown = tokens.live.any(1).nonzero().flatten().tolist()
    return tokens, strategy.rows(tokens, shown).plan


def streamed(stream, features, mask=None, **signals):
    """Returns all that comes out of a stream, in order."""
    parts = []
    for number, frame in enumerate(features):
        live = None if mask is None else mask[number]
        own = {name: value[number] for name, value in signals.items()}
        parts.append(stream.push(frame, number / 2, live, signals=own))
        assert parts[-1].frame == number
    parts.append(stream.finish())
    return [part for part in parts if part is not None and len(part.features)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("spec", SPECS)
def test_a_stream_gives_what_the_whole_video_does_to_the_bit(spec, masked, dtype):
    strategy = create_strategy(spec)
    for frames in range(1, 14):
        features = noise(frames, dtype=dtype)
        mask = None
        if masked:
            mask = torch.rand(features.shape[:2], generator=torch.Generator().manual_seed(1)) < 0.3
            mask[frames // 2] = False
            mask[0, 0] = True
        tokens, plan = whole(strategy, features, mask=mask)
        stream = StreamingCompressor(strategy=strategy, grid=GRID)
        parts = streamed(stream, features, mask)
        segments = [part.segment for part in parts]
        assert torch.equal(torch.cat([part.features for part in parts]), plan.apply(features))
        assert stream.tokens_out == plan.num_out
        assert [each.tokens for each in segments] == strategy.segment_tokens(tokens, plan)
        frame, patch = plan.src // 30, plan.src % 30
        places = torch.stack([frame, patch // 5, patch % 5], 1).float()
        assert torch.equal(torch.cat([each.positions for each in segments]), plan.mean(places))
        seconds = plan.mean(tokens.pts_seconds[frame][:, None]).flatten()
        assert torch.equal(torch.cat([each.pts_seconds for each in segments]), seconds)
        assert torch.equal(torch.cat([part.patches for part in parts]), plan.sources % 30)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("spec", SPECS)
def test_a_stream_on_a_gpu_gives_what_the_whole_video_does(spec):
    strategy, features = create_strategy(spec), noise(13).cuda()
    mask = torch.rand(features.shape[:2], generator=torch.Generator().manual_seed(1)) < 0.3
    mask = mask.index_fill(0, torch.tensor([3]), False).cuda()
    _, plan = whole(strategy, features, mask=mask)
    parts = streamed(StreamingCompressor(strategy=strategy, grid=GRID), features, mask)
    found = torch.cat([part.features for part in parts])
    torch.testing.assert_close(found, plan.apply(features), rtol=0, atol=1e-6)
    assert torch.equal(torch.cat([part.patches for part in parts]), plan.sources % 30)


def test_tokens_of_a_vision_llm_stream_as_they_are_compressed():
    vlm = load_vlm("tiny")
    sift = VideoCompressor(strategy="slow-fast", vlm=vlm, keep=0.9, fps=1)
    encoded = sift.encode("synthetic://mixed?seconds=6")
    video, tokens = sift.reduce(encoded), encoded.tokens
    stream = StreamingCompressor(strategy="slow-fast", encoder=vlm.encoder)
    pushed = zip(tokens.features, tokens.pts_seconds.tolist(), strict=True)
    parts = [*(stream.push(frame, seconds) for frame, seconds in pushed), stream.finish()]
    kept = [part for part in parts if part is not None and part.segment is not None]
    assert torch.equal(torch.cat([part.features for part in kept]), video.tokens)
    assert torch.equal(torch.cat([part.segment.positions for part in kept]), video.positions)
    assert torch.equal(torch.cat([part.segment.pts_seconds for part in kept]), video.pts_seconds)
    assert [part.segment.tokens for part in kept] == video.report.segments


@pytest.mark.parametrize(
    ("spec", "closing"),
    [
        ("slow-fast", [3, 7, "end"]),
        ("slow-fast:segment=2,remainder=merge", [3, 5, 7, "end"]),
        ("slow-fast:remainder=merge", [5, "end"]),
        ("slow-fast:segment=3", [2, 5, 8]),
        ("slow-fast:segment=9", [8]),
    ],
)
def test_tokens_come_with_the_frame_that_closes_their_segment(spec, closing):
    stream = StreamingCompressor(strategy=spec, grid=GRID)
    found = []
    for number, frame in enumerate(noise(9)):
        part = stream.push(frame, float(number))
        assert (part.segment is None) == (len(part.features) == 0)
        found += [number] if len(part.features) else []
    assert found + (["end"] if stream.finish() is not None else []) == closing


def test_frames_that_are_overwritten_by_the_caller_stay_as_they_were():
    features, buffer = noise(4), torch.empty(30, CHANNELS)
    strategy = create_strategy("slow-fast")
    stream = StreamingCompressor(strategy=strategy, grid=GRID)
    for number, frame in enumerate(features):
        part = stream.push(buffer.copy_(frame), float(number))
    kept = part.features.clone()
    assert torch.equal(kept, whole(strategy, features)[1].apply(features))
    for number, frame in enumerate(noise(4, seed=1), start=4):
        stream.push(frame, float(number))
    assert torch.equal(part.features, kept)


def test_memory_is_that_of_one_segment():
    stream = StreamingCompressor(strategy="slow-fast", grid=GRID, tokens_per_minute=500)
    sizes = []
    for number, frame in enumerate(noise(400)):
        stream.push(frame, float(number))
        sizes.append(len(pickle.dumps(stream)))
    assert max(sizes[200:]) <= max(sizes[100:200]) + 100
    assert max(sizes) < 4 * 30 * (CHANNELS * 4 + 1) + 8000


@pytest.mark.parametrize("spec", ["slow-fast", "slow-fast:segment=3,remainder=merge"])
@pytest.mark.parametrize("fps", [0.3, 1.0, 1.01, 7.0])
@pytest.mark.parametrize("budget", [39, 100, 500, 5000])
def test_no_minute_holds_more_than_its_budget(budget, fps, spec):
    stream = StreamingCompressor(strategy=spec, grid=GRID, tokens_per_minute=budget)
    times, counts, taken = [], [], []
    frames = noise(1, channels=2)
    for number in range(int(200 * fps)):
        part = stream.push(frames[0], number / fps)
        times.append(number / fps)
        counts.append(len(part.features))
        taken += [] if part.segment is None else part.segment.frame_seconds.tolist()
    rest = stream.finish()
    counts[-1] += 0 if rest is None else len(rest.features)
    for start in times:
        inside = [n for n, time in zip(counts, times, strict=True) if start <= time < start + 60]
        assert sum(inside) <= budget
    length = 3 if "segment=3" in spec else 4
    possible = min(fps, budget // 39 * length / 60)
    assert len(taken) >= 0.85 * possible * 190 - 2 * length
    gaps = torch.tensor(taken).diff()
    assert float(gaps.max()) <= 2.1 / possible


def test_clocks_that_jitter_lose_no_frames():
    stream = StreamingCompressor(strategy="slow-fast", grid=GRID, tokens_per_minute=15 * 39)
    jitter = torch.rand(120, generator=torch.Generator().manual_seed(0)) * 0.08
    closed = [
        part.segment
        for number in range(120)
        if (part := stream.push(noise(1)[0], number + float(jitter[number]))).segment is not None
    ]
    assert sum(len(each.frames) for each in closed) >= 112


def test_what_is_left_of_the_minute_limits_the_last_segment():
    stream = StreamingCompressor(strategy="slow-fast", grid=GRID, tokens_per_minute=39 + 10)
    for number, frame in enumerate(noise(6)):
        part = stream.push(frame, number * 15.0)
        assert part.segment is None or len(part.features) == 39
    rest = stream.finish()
    assert rest.segment.frames == (4, 5)
    assert 1 <= len(rest.features) <= 10
    assert rest.segment.tokens.key_tokens == len(rest.features)
    none_left = StreamingCompressor(strategy="slow-fast", grid=GRID, tokens_per_minute=39)
    for number, frame in enumerate(noise(6)):
        none_left.push(frame, number * 15.0)
    assert none_left.finish() is None


def test_a_minute_without_room_for_a_segment_is_refused():
    with pytest.raises(BudgetError, match=r"tokens_per_minute=38 .* 39 tokens; allow at least 39"):
        StreamingCompressor(strategy="slow-fast", grid=GRID, tokens_per_minute=38)


def test_tokens_before_the_projector_come_with_each_frame():
    strategy = create_strategy("slow-fast:stage=pre")
    matrix = noise(1, (1, 12), CHANNELS)[0]
    features, before = noise(6), noise(6, channels=12, seed=1)

    encoder = SimpleNamespace(grid=GRID, weights=None, project=lambda values: values @ matrix)
    tokens, plan = whole(strategy, features, pre_projector=before)
    stream = StreamingCompressor(strategy=strategy, encoder=encoder)
    with pytest.raises(MissingSignalError, match="pre_projector of each frame; pass signals="):
        stream.push(features[0], 0.0)
    parts = streamed(stream, features, pre_projector=before)
    found = torch.cat([part.features for part in parts])
    expected = strategy.features(tokens, plan, encoder.project)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", ["", ",key=informative", ",segment=3,remainder=merge"])
def test_a_network_computes_each_segment_as_in_the_whole_video(tmp_path, options):
    torch.manual_seed(0)
    filling = SlowFastFilling(CARD)
    with torch.no_grad():
        for value in filling.parameters():
            value.copy_((value + 0.1 * torch.randn_like(value)).half())
    save_filling(filling, tmp_path)
    strategy = create_strategy(f"slow-fast:filling={tmp_path}{options}")
    encoder = SimpleNamespace(grid=GRID, weights=CARD.trained_for.fingerprint, project=None)
    for frames in (1, 2, 9, 12):
        features = noise(frames)
        tokens, plan = whole(strategy, features)
        stream = StreamingCompressor(strategy=strategy, encoder=encoder)
        found = torch.cat([part.features for part in streamed(stream, features)])
        expected = strategy.features(tokens, plan)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        if frames > 1:
            assert float((found - plan.apply(features)).abs().max()) > 1e-3
    assert "synthetic:// videos only" in stream.limitation
    with pytest.raises(InvalidOptionError, match=r"pass encoder=vlm\.encoder"):
        StreamingCompressor(strategy=strategy, grid=GRID)
    encoder.weights, encoder.spec = "0" * 16, "other"
    with pytest.raises(InvalidOptionError, match="reads tokens of the checkpoint 0123456789abcdef"):
        StreamingCompressor(strategy=strategy, encoder=encoder)


def test_a_segment_that_cannot_be_made_is_tried_again(monkeypatch):
    strategy = create_strategy("slow-fast")
    features = noise(8)
    stream = StreamingCompressor(strategy=strategy, grid=GRID)
    for number in range(3):
        stream.push(features[number], float(number))

    def full(*_):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(type(strategy), "features", full)
        with pytest.raises(RuntimeError, match="out of memory"):
            stream.push(features[3], 3.0)
        assert stream.frames_in == 3
    found = [stream.push(features[number], float(number)) for number in range(3, 8)]
    kept = torch.cat([part.features for part in found])
    assert torch.equal(kept, whole(strategy, features)[1].apply(features))


@pytest.mark.parametrize("at_first", [True, False])
def test_a_stream_may_enter_and_leave_inference_mode(at_first):
    strategy, features = create_strategy("slow-fast"), noise(7)
    stream = StreamingCompressor(strategy=strategy, grid=GRID)
    found = []
    for number in range(7):
        with torch.inference_mode(at_first if number < 2 else not at_first):
            found.append(stream.push(features[number], float(number)).features)
    with torch.inference_mode(at_first):
        found.append(stream.finish().features)
    assert torch.equal(torch.cat(found), whole(strategy, features)[1].apply(features))


def test_streams_of_threads_may_share_a_strategy():
    strategy = create_strategy("slow-fast:key=informative")
    videos = [noise(23, seed=seed) for seed in range(4)]

    def run(features):
        parts = streamed(StreamingCompressor(strategy=strategy, grid=GRID), features)
        return torch.cat([part.features for part in parts])

    with ThreadPoolExecutor(4) as pool:
        for features, found in zip(videos, pool.map(run, videos), strict=True):
            assert torch.equal(found, whole(strategy, features)[1].apply(features))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"pass grid=\(h, w\), or encoder="),
        ({"grid": (0, 5)}, r"grid\[0\]=0 must be a whole number of at least 1"),
        ({"grid": 8}, "grid=8 must be two whole numbers"),
        ({"grid": "65"}, "grid='65' must be two whole numbers"),
        ({"grid": (True, 5)}, r"grid\[0\]=True must be a whole number"),
        ({"grid": (6, 5.5)}, r"grid\[1\]=5.5 must be a whole number"),
        ({"grid": (6, 5), "threshold": 0.9}, "threshold=0.9 is for 'temporal'"),
        ({"encoder": "tiny"}, r"encoder='tiny' must be an Encoder, such as vlm\.encoder"),
        ({"encoder": load_vlm("tiny")}, r"must be an Encoder, such as vlm\.encoder"),
        ({"grid": (6, 5), "strategy": "slow-fast:stage=pre"}, r"pass encoder=vlm\.encoder"),
    ],
)
def test_options_that_do_not_fit_segments_are_refused(options, message):
    with pytest.raises(InvalidOptionError, match=message):
        StreamingCompressor(**{"strategy": "slow-fast", **options})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (torch.ones(29, CHANNELS), r"frame 0 has 29 tokens, and the grid 30"),
        (torch.ones(30, CHANNELS, dtype=torch.int64), "int64"),
    ],
)
def test_a_first_frame_of_another_grid_is_refused(frame, message):
    stream = StreamingCompressor(strategy="slow-fast", grid=GRID)
    with pytest.raises(InvalidTokensError, match=message):
        stream.push(frame, 0.0)
    assert stream.push(torch.ones(30, CHANNELS), 0.0).segment is None


def test_a_frame_of_another_dtype_is_refused():
    stream = StreamingCompressor(strategy="slow-fast", grid=GRID)
    stream.push(torch.ones(30, CHANNELS), 0.0)
    with pytest.raises(InvalidTokensError, match=r"frame 1 has torch\.float64 .*float32"):
        stream.push(torch.ones(30, CHANNELS, dtype=torch.float64), 1.0)


def test_a_stream_without_frames_ends_with_nothing():
    assert StreamingCompressor(strategy="slow-fast", grid=GRID).finish() is None
