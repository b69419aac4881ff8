"""What is kept in blocks of frames, or by one kernel, is what a loop over frames keeps."""

import os
from importlib.util import find_spec

import pytest
import torch

from framesift.strategies import _last_kept, _ops
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
    length = _ops.lengths(features)
    before = torch.arange(-1, len(live) - 1, device=live.device)[:, None].expand_as(live)
    return LastKept(features, live, length, (_ops.to_previous(features, length), before))


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
    search = LastKeptByKernel(features, live, _ops.lengths(features))
    assert torch.equal(search.counts(thresholds), twin.counts(thresholds))
    for threshold in thresholds:
        assert torch.equal(search.kept(threshold), twin.kept(threshold))


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_the_kernel_is_taken_on_a_gpu():
    pytest.importorskip("triton")
    features = torch.ones(3, 2, 4, device=DEVICE)
    live, length = features[..., 0] > 0, _ops.lengths(features)
    search = _last_kept.last_kept(features, live, length, (length, live.long()))
    assert type(search) is not LastKept
