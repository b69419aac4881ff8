"""How much of the picture differs between frames, from the features of their patches."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

SAME = 0.25
"""Cosine distance of a patch up to which noise and compression alone explain it."""
CHANGED = 0.80
"""Cosine distance of a patch from which it certainly shows something else."""


def changed_share(first: Tensor, second: Tensor) -> Tensor:
    """Returns the share of patches in [0, 1] that differ, of each pair of frames, `(A, B)`.

    Args:
        first: features `(A, N, D)`.
        second: features `(B, N, D)`.
    """
    total = torch.zeros(len(first), len(second), device=first.device)
    for patch in range(first.shape[1]):
        total += _changed(_unit(first[:, patch]) @ _unit(second[:, patch]).T)
    return total / first.shape[1]


def changed_since_previous(features: Tensor) -> Tensor:
    """Returns the share of patches that differ from the frame before, `(T,)`; 0 for the first."""
    shares = [
        _changed((_unit(now) * _unit(before)).sum(-1)).mean() for before, now in pairwise(features)
    ]
    return torch.stack([torch.zeros((), device=features.device), *shares])


def _unit(features: Tensor) -> Tensor:
    return functional.normalize(features.float(), dim=-1)


def _changed(cosine: Tensor) -> Tensor:
    return ((1 - cosine - SAME) / (CHANGED - SAME)).clamp(0, 1)
