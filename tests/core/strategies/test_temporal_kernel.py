"""The kernel keeps what blocks of frames keep: on a GPU, or interpreted on the CPU."""

import os
from importlib.util import find_spec

import pytest
import torch

from framesift.strategies import _ops
from framesift.strategies._last_kept import LastKept, last_kept

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
THRESHOLDS = torch.tensor([-1.0, 0.0, 0.5, 0.9, 0.97, 0.9999, 1.0], device=DEVICE)

if DEVICE == "cpu" and find_spec("triton") is not None:
    # Triton asks for it when it is imported and when it runs a kernel, here as Python.
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton")
from framesift.strategies._temporal_kernel import LastKeptByKernel  # noqa: E402


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("frames", "channels"), [(1, 3), (2, 1), (9, 5), (20, 33)])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_the_kernel_keeps_what_blocks_of_frames_keep(frames, channels, share, dtype):
    generator = torch.Generator().manual_seed(frames)
    steps = torch.randn(frames, 3, channels, generator=generator) * 0.3
    features = (steps.cumsum(0) + 1).to(DEVICE, dtype)
    features[frames // 2, 0] = features[frames // 3, 0] = 0
    live = (torch.rand(frames, 3, generator=generator) < share).to(DEVICE)
    length = _ops.lengths(features)
    before = torch.arange(-1, frames - 1, device=DEVICE)[:, None].expand_as(live)
    twin = LastKept(features, live, length, (_ops.to_previous(features, length), before))
    search = LastKeptByKernel(features, live, length)
    assert torch.equal(search.counts(THRESHOLDS), twin.counts(THRESHOLDS))
    for threshold in THRESHOLDS:
        assert torch.equal(search.kept(threshold), twin.kept(threshold))


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_the_kernel_is_taken_on_a_gpu():
    features = torch.ones(3, 2, 4, device=DEVICE)
    live, length = features[..., 0] > 0, _ops.lengths(features)
    assert isinstance(last_kept(features, live, length, (length, live.long())), LastKeptByKernel)
