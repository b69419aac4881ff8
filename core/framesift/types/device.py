"""What a device has room for and lacks, how frames come to it, and what its driver raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.errors import FramesiftError, ModelError

Made = TypeVar("Made")

CPU: Final = torch.device("cpu")
ROOM: Final = 0.5
"""Share of a device's free memory that one batch is planned with, since it is an estimate."""
MOST: Final = 64
"""Frames from which a larger batch is no faster on any device."""
LONGEST: Final = 200
"""Characters of a driver's own message that are passed on."""
NO_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory")
"""What messages about a lack of memory say, where they have no class of their own."""
DRIVERS: Final = ("CUDA", "cuDNN", "CUBLAS", "HIP", "MPS", "NCCL", "XPU", "Triton Error")
"""How messages of drivers and of their libraries begin."""

WITHOUT_SEGMENTS: Final = frozenset({"mps"})
"""Kinds of device for which torch has no sums of segments."""


def segment_sums(rows: Tensor, lengths: Tensor) -> Tensor:
    """Returns the sums of runs of rows, `(R, ...)` of `(E, ...)`, each in the order of its rows.

    A device that cannot do it lends its rows to the CPU.

    Args:
        rows: floating point.
        lengths: of the runs, which hold all rows, int64 `(R,)`.
    """
    if rows.device.type in WITHOUT_SEGMENTS:
        return segment_sums(rows.cpu(), lengths.cpu()).to(rows.device)
    # Lengths are not looked at, since that waits for their device.
    return torch.segment_reduce(rows, "sum", lengths=lengths, axis=0, unsafe=True)


def uploaded(images: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Returns RGB frames `(T, H, W, 3)` as uint8 `(T, 3, H, W)` on a device.

    To CUDA they go by page-locked memory, so that the host goes on while they are copied.
    """
    if device.type != "cuda":
        return torch.tensor(images).to(device).permute(0, 3, 1, 2).contiguous()
    waiting = torch.empty(images.shape, dtype=torch.uint8, pin_memory=True)
    np.copyto(waiting.numpy(), images)
    return waiting.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous()


def free_bytes(device: torch.device) -> int | None:
    """Returns how many bytes tensors can take on a device; None where that is not known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + held
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return None


def batch_that_fits(device: torch.device, bytes_each: float, usual: int) -> int:
    """Returns how many frames or steps go through a tower at once: a power of two on a GPU.

    Args:
        device: where the tower runs.
        bytes_each: what one of them takes at most.
        usual: the number on a CPU, where a larger batch is no faster.
    """
    free = free_bytes(device)
    if free is None:
        return usual
    fitting = max(1, min(MOST, int(ROOM * free / bytes_each)))
    return 1 << (fitting.bit_length() - 1)


def in_batches(
    count: int, size: int, work: Callable[[slice], Made], *, may_shrink: bool
) -> list[Made]:
    """Returns what `work` makes of `count` things, batch by batch.

    Args:
        count: how many there are.
        size: how many make a batch.
        work: makes something of a part of them.
        may_shrink: whether a batch that finds no memory is tried again as two.
    """
    made, start = list[Made](), 0
    while start < count:
        try:
            made.append(work(slice(start, min(count, start + size))))
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not may_shrink or not is_lack_of_memory(error):
                raise
            size = -(-min(size, count - start) // 2)
        else:
            start += size
    return made


def is_lack_of_memory(error: BaseException) -> bool:
    """Returns whether a device had no memory left, by class or by message."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in NO_MEMORY)


def is_of_driver(error: BaseException) -> bool:
    """Returns whether the driver of a device failed, not the work that was given to it."""
    if isinstance(error, getattr(torch, "AcceleratorError", ())):
        return True
    return isinstance(error, RuntimeError) and str(error).lstrip().startswith(DRIVERS)


@contextmanager
def device_errors(device: object, doing: str, cure: str) -> Iterator[None]:
    """Raises a lack of memory or a failure of a device as one line.

    Args:
        device: what the message calls it.
        doing: what the memory is for, such as `"encoding frames"`.
        cure: what helps where the memory is too small.

    Raises:
        ModelError: the memory is too small, or the driver failed.
    """
    try:
        yield
    except FramesiftError:
        raise
    except (RuntimeError, MemoryError) as error:
        if is_lack_of_memory(error):
            raise ModelError(f"{device} has no memory for {doing}; {cure}") from error
        if not is_of_driver(error):
            raise
        raise ModelError(driver_failure(device, doing, error)) from error


def driver_failure(device: object, doing: str, error: BaseException) -> str:
    """Returns the line about a failure of a device's driver while something was done."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"{device} failed while {doing} ({lines[0][:LONGEST].rstrip('.')}); what was under way is "
        "lost: start the program again, or load the model with device='cpu'"
    )
