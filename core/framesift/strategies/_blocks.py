"""Work on many frames at once, in blocks whose matrices fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.types.tokens import VideoTokens

BLOCK_BYTES = 2**27
"""Size of the largest matrix of a block, of which a step holds a few."""
CACHED_BYTES = 2**24
"""The same on a CPU where frames are only read through: memory that it has at hand."""
LEAST_FRAMES = 64
"""Frames of a block, however large they are, as long as they fit into eight times that size."""
ALIKE = 2 / 3
"""Share of the largest set of a batch below which a set goes to another batch."""
SMALL = 32
"""Sizes that are not told apart: filling up such small sets costs little."""


def frames_at_once(bytes_each: int, least: int = LEAST_FRAMES) -> int:
    """Returns how many frames make a block, where one takes `bytes_each`."""
    most = 8 * BLOCK_BYTES // max(1, bytes_each)
    return max(1, min(least, most), BLOCK_BYTES // max(1, bytes_each))


def blocks(
    count: int, bytes_each: int, *, device: torch.device, least: int = LEAST_FRAMES
) -> Iterator[slice]:
    """Yields `count` frames block by block, and reports each block as a step of the plan.

    Args:
        count: of frames, or of whatever else is taken in blocks.
        bytes_each: memory that one takes in a block's largest matrix.
        device: where they are: a GPU pays for each block, a CPU for each new piece of memory.
        least: frames of a block, even where they take more than `BLOCK_BYTES`.
    """
    size = frames_at_once(bytes_each, least)
    if device.type == "cpu":
        size = max(1, CACHED_BYTES // max(1, bytes_each))
    for start in stoppable(range(0, count, size)):
        yield slice(start, min(start + size, count))


def float_blocks(features: Tensor, *, further: int = 0) -> Iterator[tuple[slice, Tensor]]:
    """Yields frames block by block, and their features as float32.

    Copies of half precision stand in memory that the next block takes again.

    Args:
        features: of the video `(T, N, D)`.
        further: frames after each block that come with it; the last ones begin no block.
    """
    held = None
    memory = 4 * features.shape[1] * features.shape[2]
    for own in blocks(len(features) - further, memory, device=features.device):
        part = features[own.start : own.stop + further]
        if part.dtype != torch.float32:
            held = part.new_empty(part.shape, dtype=torch.float32) if held is None else held
            part = held[: len(part)].copy_(part)
        yield own, part


def batches(
    sizes: Sequence[int],
    bytes_each: Sequence[int],
    *,
    least: int = LEAST_FRAMES,
    alike: float = ALIKE,
    small: int = SMALL,
) -> Iterator[list[int]]:
    """Yields which sets go together, so that few fill up: sets of like size, the largest first.

    Args:
        sizes: of the sets; empty ones are in no batch.
        bytes_each: memory that a set takes when it is the largest of its batch.
        least: as `blocks` has it.
        alike: share of the batch's largest size below which a set goes to another batch.
        small: largest size up to which a batch takes sets of any size.
    """
    order = sorted((i for i, size in enumerate(sizes) if size), key=lambda i: -sizes[i])
    starts, limit = [0], 0
    for place, i in enumerate(order):
        first = order[starts[-1]]
        limit = frames_at_once(bytes_each[first], least)
        fits = sizes[i] >= sizes[first] * alike or sizes[first] <= small
        if not fits or place - starts[-1] >= limit:
            starts.append(place)
    for start, stop in stoppable(list(zip(starts, [*starts[1:], len(order)], strict=True))):
        if stop > start:
            yield order[start:stop]


def rows_at(values: Tensor, index: Tensor) -> Tensor:
    """Returns the rows of `values` `(R, ...)` at `index`, in the shape of it, then of a row.

    Selecting whole rows takes a third of the time that general indexing takes on a CPU.
    """
    rows: Tensor = values.index_select(0, index.flatten()).unflatten(0, index.shape)
    return rows


def sum_runs(values: Tensor, lengths: Sequence[int] | np.ndarray) -> Tensor:
    """Returns the sum over each run of rows of `values` `(R, ...)`, which it changes.

    Neighbours are added, then sums of two, and so on: the same to the last bit on every device, in
    as many steps as the longest run has doublings.

    Args:
        values: rows of all runs, one run after another.
        lengths: rows of each run, at least 1.
    """
    own = np.asarray(lengths, dtype=np.int64)
    starts = own.cumsum() - own
    place = np.arange(len(values)) - starts.repeat(own)
    last, step = own.repeat(own), 1
    while step < own.max(initial=0):
        into = np.flatnonzero((place % (2 * step) == 0) & (place + step < last))
        rows = torch.from_numpy(into).to(values.device)
        values.index_add_(0, rows, values.index_select(0, rows + step))
        step *= 2
    return values.index_select(0, torch.from_numpy(starts).to(values.device))


def frame_means(tokens: VideoTokens) -> Tensor:
    """Returns the mean of the live tokens of each frame, float32 `(T, D)`; 0 without any."""
    live = tokens.live.float()
    sums = [(live[own, None] @ wide)[:, 0] for own, wide in float_blocks(tokens.features)]
    return torch.cat(sums) / live.sum(1, keepdim=True).clamp_min(1)
