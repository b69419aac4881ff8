"""Segments of a video in which some places stand still and become one token over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._blocks import float_blocks
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class StillSegments:
    """Runs of frames that cover a video, and the places that stand still in each."""

    lengths: Sequence[int]
    """Frames of each segment, in time order."""
    still: Tensor
    """Places that stand still over their segment, bool `(S, N)` on the CPU."""


def stillest(likeness: Tensor, lengths: Tensor, *, threshold: float, allowed: int) -> Tensor:
    """Returns which places of each segment stand still, bool `(S, N)`.

    They are above `threshold`, and no more of them than may be saved: the most alike come first,
    on a tie those of the earlier segment and place, so that a static video is still in part.

    Args:
        likeness: of each place of each segment, `(S, N)` on the CPU.
        lengths: frames of each segment `(S,)`.
        threshold: a place moves where its likeness is not above it.
        allowed: most tokens that may be saved; a place that stands still saves all but one.
    """
    order = torch.argsort(likeness.flatten(), descending=True, stable=True)
    above = likeness.flatten()[order] > threshold
    saves = (lengths - 1)[:, None].expand_as(likeness).flatten()[order]
    fits = (saves * above).cumsum(0) <= allowed
    return torch.zeros_like(above).index_copy_(0, order, above & fits).view_as(likeness)


def to_next(tokens: VideoTokens) -> Tensor:
    """Returns the cosine of each token to the one after it at its place, float32 `(T - 1, N)`.

    It is on the CPU, and `_ops.NEVER` where one of the two takes no part.
    """
    alike = [torch.zeros(0, tokens.tokens_per_frame, device=tokens.features.device)]
    for _, wide in float_blocks(tokens.features, further=1):
        # The lengths as the products are summed: equal tokens are at 1 whatever is rounded.
        lengths = _ops.dots(wide, wide).sqrt()
        product = _ops.dots(wide[:-1], wide[1:])
        alike.append(_ops.cosine_of(product, lengths[:-1], lengths[1:]))
    both = tokens.live[1:] & tokens.live[:-1]
    return torch.cat(alike).masked_fill(~both, _ops.NEVER).cpu()
