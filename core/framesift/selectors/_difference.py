"""How much of the picture differs between frames, from the features of their patches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from framesift.run import stoppable

SAME = 0.35
"""Cosine distance of a patch up to which noise and compression alone explain it."""
CHANGED = 0.95
"""Cosine distance of a patch from which it certainly shows something else."""
MOST_PAIRS, FRAMES_AT_ONCE = 2**21, 64
"""How much is compared at once, which bounds the memory that it takes."""


def changed_share(first: Tensor, second: Tensor) -> Tensor:
    """Returns the share of patches in [0, 1] that differ, of each pair of frames, `(A, B)`.

    Args:
        first: features `(A, N, D)`.
        second: features `(B, N, D)`.
    """
    patches = first.shape[1]
    together = max(1, MOST_PAIRS // (len(first) * len(second)))
    total = torch.zeros(len(first), len(second), device=first.device)
    for start in stoppable(range(0, patches, together), "select"):
        some = slice(start, start + together)
        left, right = (_unit(frames[:, some]).transpose(0, 1) for frames in (first, second))
        total += _changed(left @ right.transpose(1, 2)).sum(0)
    return total / patches


def changed_since_previous(features: Tensor, among: Tensor) -> Tensor:
    """Returns the share of patches that differ from the frame before, `(T,)`; 0 for the first.

    Args:
        features: of all frames `(F, N, D)`.
        among: the frames that are compared, int64 `(T,)`.
    """
    # Few at a time: a copy of the features of hours of video is hundreds of megabytes.
    shares = [torch.zeros(1, device=features.device)]
    for start in stoppable(range(1, len(among), FRAMES_AT_ONCE), "select"):
        some = _unit(features[among[start - 1 : start + FRAMES_AT_ONCE]])
        shares.append(_changed((some[1:] * some[:-1]).sum(-1)).mean(1))
    return torch.cat(shares)


def _unit(features: Tensor) -> Tensor:
    return functional.normalize(features.float(), dim=-1)


def _changed(cosine: Tensor) -> Tensor:
    return ((1 - cosine - SAME) / (CHANGED - SAME)).clamp(0, 1)
