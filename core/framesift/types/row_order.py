"""The rows of a plan: how many entries each has, and their order, that of their mean times."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

WEIGHT_PARTS: Final = 2**24
"""Parts of a row's largest weight in which its weights are counted: what float32 tells apart."""
FRAME_PARTS: Final = 2**18
"""Parts of a frame in which the mean times of outputs are compared."""


def row_order(
    dst: Tensor, src: Tensor, weight: Tensor, num_out: int, tokens_per_frame: int
) -> Tensor:
    """Returns the rows by mean frame, then by earliest input, `(num_out,)`.

    Weights count in whole parts of the largest of their row, so that sums are those of integers:
    the same in any order and on any device.
    """
    zeros = torch.zeros(num_out, dtype=torch.int64, device=dst.device)
    heaviest = zeros.to(weight.dtype).scatter_reduce(0, dst, weight, "amax")
    parts = (weight / heaviest[dst] * WEIGHT_PARTS).round().long()
    mass = zeros.index_add(0, dst, parts)
    moment = zeros.index_add(0, dst, parts * (src // tokens_per_frame))
    mass = mass.clamp_min(1)
    frame = moment // mass
    # To the nearest part, so that rows of one mean time are not told apart by rounded weights.
    within = ((moment - frame * mass) * FRAME_PARTS + mass // 2) // mass
    first = torch.full_like(zeros, 2**62).scatter_reduce(0, dst, src, "amin")
    by_first = torch.argsort(first, stable=True)
    return by_first[torch.argsort((frame * FRAME_PARTS + within)[by_first], stable=True)]


def row_counts(places: Tensor, total: int) -> Tensor:
    """Returns how often each place below `total` is named, int64 `(total,)`; no device waits."""
    zeros = torch.zeros(total, dtype=torch.int64, device=places.device)
    return zeros.index_add_(0, places, torch.ones_like(places))
