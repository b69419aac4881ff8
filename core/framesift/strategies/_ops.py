"""Maths that several strategies share; every tie goes to the earlier token."""

from __future__ import annotations

import torch
from torch import Tensor

from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


def top(values: Tensor, allowed: Tensor, count: int) -> Tensor:
    """Returns the mask of the `count` highest `values` among `allowed`, earlier ones on ties."""
    ranked = torch.where(allowed, values.float().nan_to_num(nan=-torch.inf), -torch.inf)
    order = torch.argsort(ranked, descending=True, stable=True)
    order = order[allowed[order]][:count]
    return torch.zeros_like(allowed).index_fill_(0, order, True)


def keep_mask(tokens: VideoTokens, mask: Tensor) -> TokenPlan:
    """Returns the plan that keeps the tokens of a bool mask `(T * N,)` or `(T, N)`."""
    return TokenPlan.keep(
        mask.flatten().nonzero().flatten(),
        num_in=tokens.count,
        tokens_per_frame=tokens.tokens_per_frame,
    )


def evenly(total: int, count: int) -> Tensor:
    """Returns `count` ascending positions spread over `total` places, at part centres."""
    return ((2 * torch.arange(count) + 1) * total) // (2 * count)


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Returns the cosine of the last dimensions, rounded to 1e-6 so that equal tokens tie at 1.

    A zero vector is like another zero vector (1) and unlike anything else (0).
    """
    lengths = torch.linalg.vector_norm(a, dim=-1), torch.linalg.vector_norm(b, dim=-1)
    value: Tensor = torch.linalg.vecdot(a, b) / (lengths[0] * lengths[1]).clamp_min(1e-30)
    alike = (lengths[0] == 0) & (lengths[1] == 0)
    return value.masked_fill(alike, 1.0).mul(1e6).round().div(1e6).clamp(-1.0, 1.0)
