"""What fits on a device, and what its driver raises, without any GPU."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from framesift.errors import BudgetError, ModelError
from framesift.hf.tower_memory import bytes_in_tower
from framesift.testing import random_frames
from framesift.testing.stand_in import DEVICE, stand_in
from framesift.types.device import (
    CPU,
    batch_that_fits,
    device_errors,
    free_bytes,
    in_batches,
    uploaded,
)

CUDA = torch.device("cuda:0")
GIB = 2**30


def test_uploaded_frames_are_channels_first_and_their_own():
    images = random_frames(2, (6, 9)).data
    images.setflags(write=False)
    found = uploaded(images, CPU)
    assert torch.equal(found.permute(0, 2, 3, 1), torch.tensor(images))
    assert found.is_contiguous()
    with stand_in() as seen:
        assert torch.equal(uploaded(images, DEVICE).cpu(), found)
    assert seen.waits.total() == 1, "what goes up makes the host wait"


def test_a_cpu_does_not_say_what_fits():
    assert free_bytes(CPU) is None
    assert batch_that_fits(CPU, 1e18, usual=16) == 16


@pytest.mark.parametrize(
    ("free", "each", "batch"),
    [(80 * GIB, 1e6, 64), (GIB, 1e8, 4), (GIB, 6e7, 8), (GIB, GIB, 1), (0, GIB, 1)],
)
def test_a_batch_takes_half_of_what_a_gpu_has_left(monkeypatch, free, each, batch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free // 2, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: free - free // 2 + GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: GIB)
    assert free_bytes(CUDA) == free
    assert batch_that_fits(CUDA, each, usual=16) == batch


def test_larger_towers_and_pictures_take_more():
    def taken(**more):
        vision = SimpleNamespace(
            **{"patch_size": 14, "hidden_size": 64, "num_hidden_layers": 4, **more}
        )
        return [
            bytes_in_tower(vision, (224, 224), (480, 640), 2),
            bytes_in_tower(vision, (448, 224), (480, 640), 2),
            bytes_in_tower(vision, (448, 224), (720, 1280), 2),
            bytes_in_tower(vision, (448, 224), (720, 1280), 2, frames=2),
            bytes_in_tower(vision, (448, 224), (720, 1280), 4, frames=2),
        ]

    small = taken()
    assert small == sorted(set(small))
    for more in ({"hidden_size": 128}, {"num_hidden_layers": 8}, {"intermediate_size": 900}):
        assert all(b > a for a, b in zip(small, taken(**more), strict=True))
    assert taken(depth=8) == taken(num_hidden_layers=8)
    assert taken(patch_size=[14, 14]) == small
    assert taken(embed_dim=64, hidden_size=3584) == small


def out_of_memory(most):
    """Returns work on a slice that has memory for at most so many, and what it was given."""
    given = []

    def work(part):
        given.append((part.start, part.stop))
        if part.stop - part.start > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return list(range(part.start, part.stop))

    return work, given


@pytest.mark.parametrize("most", [1, 2, 3, 5, 8, 100])
@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_batches_that_find_no_memory_are_tried_in_halves(most, count):
    work, given = out_of_memory(most)
    found = in_batches(count, 8, work, may_shrink=True)
    assert [number for part in found for number in part] == list(range(count))
    assert max(stop - start for start, stop in given) <= 8


def test_a_batch_of_the_callers_size_is_not_halved():
    work, given = out_of_memory(2)
    with pytest.raises(torch.OutOfMemoryError):
        in_batches(8, 4, work, may_shrink=False)
    assert given == [(0, 4)]


def test_other_errors_are_not_tried_again():
    def work(part):
        given.append(part)
        raise RuntimeError("shapes cannot be multiplied")

    given = []
    with pytest.raises(RuntimeError, match="multiplied"):
        in_batches(8, 4, work, may_shrink=True)
    assert len(given) == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_a_lack_of_memory_is_one_line_with_what_helps(error):
    with (
        pytest.raises(ModelError, match=r"^cuda:0 has no memory for a walk; take less$") as told,
        device_errors(CUDA, "a walk", "take less"),
    ):
        raise error
    assert told.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
        getattr(torch, "AcceleratorError", RuntimeError)("CUDA error: unspecified launch failure"),
    ],
)
def test_a_failure_of_the_driver_is_one_line(error):
    with (
        pytest.raises(ModelError, match=r"^cuda:0 failed while a walk \(.* again, or") as told,
        device_errors("cuda:0", "a walk", "take less"),
    ):
        raise error
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("error", [RuntimeError("wrong shape"), BudgetError("keep"), ValueError()])
def test_other_errors_are_left_as_they_are(error):
    with pytest.raises(type(error)) as told, device_errors(CUDA, "a walk", "take less"):
        raise error
    assert told.value is error


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_frames_arrive_on_a_gpu_while_the_host_goes_on():
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), dtype=np.uint8)
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = uploaded(images, CUDA)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(found.cpu(), uploaded(images, CPU))
