"""What is kept in blocks of frames, or by one kernel, is what a loop over frames keeps."""

import os
from importlib.util import find_spec

import pytest
import torch

from framesift.strategies import _blocks, _last_kept, _ops, _over_time
from framesift.strategies._last_kept import LastKept

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and find_spec("triton") is not None:
    # Triton asks for it when it is imported and when it runs a kernel, here as Python.
    os.environ["TRITON_INTERPRET"] = "1"
THRESHOLDS = torch.tensor([-1.0, -0.5, 0.0, 0.5, 0.9, 0.97, 0.999, 1.0])


def drifting(frames, patches, channels, dtype=torch.float32):
    generator = torch.Generator().manual_seed(frames)
    speed = torch.rand(patches, 1, generator=generator)
    steps = torch.randn(frames, patches, channels, generator=generator) * speed * 0.3
    features = (steps.cumsum(0) + 1).to(dtype)
    features[frames // 2, 0] = features[frames // 3, 0] = 0
    return features


def kept_one_by_one(features, live, threshold):
    last, begun, rows = features[0].float(), torch.zeros_like(live[0]), []
    for frame, alive in zip(features, live, strict=True):
        current = frame.float()
        kept = alive & (~begun | (_ops.similarity(current, last) <= threshold))
        last, begun = torch.where(kept[:, None], current, last), begun | kept
        rows.append(kept)
    return torch.stack(rows)


def in_blocks(features, live):
    length = _over_time.lengths(features)
    before = torch.arange(-1, len(live) - 1, device=live.device)[:, None].expand_as(live)
    return LastKept(features, live, length, (_over_time.to_previous(features, length), before))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("share", [1.0, 0.7, 0.1])
@pytest.mark.parametrize("frames", [1, 2, 7, 64, 65, 131, 515])
def test_blocks_keep_what_a_loop_over_frames_keeps(frames, share, dtype):
    features = drifting(frames, 6, 16, dtype)
    live = torch.rand(frames, 6, generator=torch.Generator().manual_seed(1)) < share
    live[:, 2] = False
    search = in_blocks(features, live)
    wanted = [kept_one_by_one(features, live, threshold) for threshold in THRESHOLDS]
    assert search.counts(THRESHOLDS).tolist() == [int(kept.sum()) for kept in wanted]
    for threshold, kept in zip(THRESHOLDS, wanted, strict=True):
        assert torch.equal(search.kept(threshold), kept)


def test_what_is_too_much_to_store_is_made_anew(monkeypatch):
    features = drifting(300, 5, 8)
    live = torch.ones(300, 5, dtype=torch.bool)
    whole = in_blocks(features, live)
    monkeypatch.setattr(_ops, "AT_ONCE_ON_CPU", 2 * 64 * 64 * 5)
    monkeypatch.setattr(_last_kept, "STORED_ON_CPU", 0)
    parts = in_blocks(features, live)
    assert parts.counts(THRESHOLDS).tolist() == whole.counts(THRESHOLDS).tolist()
    assert torch.equal(parts.kept(THRESHOLDS[4]), whole.kept(THRESHOLDS[4]))


@pytest.mark.skipif(DEVICE != "cpu", reason="a GPU stores more")
def test_memory_does_not_grow_with_a_long_video():
    features = drifting(1500, 1, 2)
    short, long = (
        in_blocks(each.expand(-1, 120, -1), torch.ones(len(each), 120, dtype=torch.bool))
        for each in (features[:640], features)
    )
    assert short._stored is not None
    assert sum(each.nbytes for each in short._stored) <= 4 * _last_kept.STORED_ON_CPU
    assert long._stored is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("frames", "channels"), [(1, 3), (2, 1), (9, 5), (20, 33)])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_the_kernel_keeps_what_blocks_of_frames_keep(frames, channels, share, dtype):
    pytest.importorskip("triton")
    from framesift.strategies._temporal_kernel import LastKeptByKernel

    generator = torch.Generator().manual_seed(1)
    features = drifting(frames, 3, channels, dtype).to(DEVICE)
    live = (torch.rand(frames, 3, generator=generator) < share).to(DEVICE)
    thresholds, twin = THRESHOLDS.to(DEVICE), in_blocks(features, live)
    search = LastKeptByKernel(features, live, _over_time.lengths(features))
    assert torch.equal(search.counts(thresholds), twin.counts(thresholds))
    for threshold in thresholds:
        assert torch.equal(search.kept(threshold), twin.kept(threshold))


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_the_kernel_is_taken_on_a_gpu():
    pytest.importorskip("triton")
    features = torch.ones(3, 2, 4, device=DEVICE)
    live, length = features[..., 0] > 0, _over_time.lengths(features)
    search = _last_kept.last_kept(features, live, length, (length, live.long()))
    assert type(search) is not LastKept


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64, torch.int64])
@pytest.mark.parametrize("at_once", [5, 2**21])
def test_the_highest_are_those_of_a_full_order(monkeypatch, dtype, at_once):
    monkeypatch.setattr(_ops, "AT_ONCE_ON_CPU", at_once)
    torch.manual_seed(3)
    values = torch.randint(-3, 4, (97,)).to(dtype)
    if dtype.is_floating_point:
        values[5], values[11], values[12], values[40] = float("nan"), torch.inf, -torch.inf, -0.0
    for allowed in (torch.ones(97, dtype=torch.bool), torch.rand(97) < 0.5):
        for count in range(99):
            expected = torch.zeros_like(allowed)
            expected[_ops.ranking(values, allowed)[:count]] = True
            assert torch.equal(_ops.top(values, allowed, count), expected & allowed)
            found = _ops.highest(values, allowed, count)
            assert torch.equal(found.sort().values, (expected & allowed).nonzero().flatten())


def test_tokens_are_compared_in_runs_of_frames_as_at_once(monkeypatch):
    torch.manual_seed(4)
    features, chosen = torch.randn(50, 6, 12).half(), torch.rand(50, 6) < 0.2
    features[7] = 0

    def found():
        length, some = _over_time.lengths(features), torch.tensor([1, 4])
        return [
            length,
            _over_time.to_previous(features, length),
            _over_time.to_last(features, length, chosen),
            _over_time.to_earlier(features, length, _over_time.last_before(chosen)),
            _over_time.to_last(features, length[:, some], chosen[:, some], some),
        ]

    at_once = found()
    assert torch.equal(at_once[2], at_once[3])
    assert torch.equal(at_once[2][:, [1, 4]], at_once[4])
    monkeypatch.setattr(_blocks, "CACHED_BYTES", 3 * 4 * 6 * 12)
    for whole, parts in zip(at_once, found(), strict=True):
        assert torch.equal(whole, parts)


def test_some_places_are_searched_as_all_are():
    torch.manual_seed(5)
    features = torch.randn(1, 9, 4) + 0.2 * torch.randn(150, 9, 4)
    live, length = torch.rand(150, 9) < 0.9, _over_time.lengths(features)
    known = _over_time.to_last(features, length, live), _over_time.last_before(live)
    some = torch.tensor([2, 3, 8])
    own = [each[:, some] for each in (live, length, *known)]
    all_of = _last_kept.LastKept(features, live, length, known)
    part = _last_kept.LastKept(features, own[0], own[1], (own[2], own[3]), some)
    for threshold in torch.tensor([0.8, 0.95]):
        assert torch.equal(all_of.kept(threshold)[:, some], part.kept(threshold))
