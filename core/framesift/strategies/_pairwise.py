"""Similarities of every pair of tokens, rounded so that equal tokens tie."""

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
    length = torch.linalg.vector_norm(values, dim=-1, keepdim=True, dtype=torch.float32)
    units: Tensor = length.new_empty(*values.shape[:-1], values.shape[-1] + 1)
    torch.div(values, length.clamp_min(1e-30), out=units[..., :-1])
    units[..., -1:] = length == 0
    return units


def rounded_(similarity: Tensor) -> Tensor:
    """Rounds float32 cosines in place to 2^-20, the same on every device, and returns them."""
    return similarity.add_(ROUNDING).sub_(ROUNDING)


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Returns the cosine of each row of `a` `(..., R, D)` to each of `b` `(..., S, D)`, float64.

    As `_ops.similarity` has it: rounded to 1e-6, a zero vector is like another one only.
    """
    a, b = a.double(), b.double()
    lengths = torch.linalg.vector_norm(a, dim=-1), torch.linalg.vector_norm(b, dim=-1)
    alike = (lengths[0] == 0)[..., :, None] & (lengths[1] == 0)[..., None, :]
    units = [x / n.clamp_min(1e-30)[..., None] for x, n in zip((a, b), lengths, strict=True)]
    value: Tensor = (units[0] @ units[1].mT).masked_fill(alike, 1.0)
    return _ops.rounded(value).clamp(-1.0, 1.0)
