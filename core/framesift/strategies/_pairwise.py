"""Unit vectors whose products are cosines, rounded so that equal tokens tie."""

from __future__ import annotations

import torch
from torch import Tensor

from framesift.strategies import _ops

ROUNDING = 12.0
"""Adding and taking away 12 rounds a float32 cosine to 2^-20, so that equal pairs tie."""


def unit(values: Tensor) -> Tensor:
    """Returns vectors `(..., D)` at length 1, float32 `(..., D + 1)`.

    The last channel is 1 for zero vectors, else 0: they are like each other and nothing else.
    """
    if values.dtype == torch.float64:
        values = values.float()
    length = _ops.length(values)[..., None]
    units: Tensor = length.new_empty(*values.shape[:-1], values.shape[-1] + 1)
    torch.div(values, length.clamp_min(1e-30), out=units[..., :-1])
    units[..., -1:] = length == 0
    return units


def rounded_(similarity: Tensor) -> Tensor:
    """Rounds float32 cosines in place to 2^-20, the same on every device, and returns them."""
    return similarity.add_(ROUNDING).sub_(ROUNDING)
