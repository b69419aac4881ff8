"""Keeps one frame of each group whole, and of the others what differs from an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies import _ops, _over_time
from framesift.strategies.base import ScoreStrategy
from framesift.types.tokens import VideoTokens

MILLION = 1_000_000
GROUP = 4
"""Frames of a group, of which the first is kept whole."""


@dataclass(frozen=True, kw_only=True)
class DyCoke(ScoreStrategy):
    """Keeps the first of every four frames whole and of the others the least similar tokens.

    The second and the fourth frame of a group are compared with the one before them, the third
    with the first, place by place. The frames that are not whole share what the whole ones leave
    of the budget evenly, and a remainder goes to the least similar tokens of all of them. This is
    the method's stage before the LLM; a merging ratio `k` of the paper is
    `keep = 1 / 4 + 3 / 4 * (1 - k)`.

    Differences from the published method:

    - The number of tokens is the budget. Where it does not hold one frame of every four, groups
      double in length until it does, so that a frame is compared with one that lies the largest
      power of two before it; what holds no frame at all goes to evenly spaced tokens of the first.
    - Any number of frames: the original fails on up to four, loses the last one of an odd number
      and leaves the third frame of the last group whole.
    - Tokens come in the order of their places, not of their similarity.
    """

    summary: ClassVar[str] = "one whole frame in four, and what differs from it in the others"
    paper: ClassVar[str] = "https://arxiv.org/abs/2411.15024"
    cost: ClassVar[str] = "O(T N (D + log T N))"

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the rank of each token, int64 `(T, N)`, those of whole frames above all."""
        features, live = tokens.features, tokens.live
        whole = live & _is_whole(live.sum(1), budget)[:, None]
        spread = _ops.evenly_spaced(whole.flatten(), budget).view_as(whole)
        number = torch.arange(len(live), device=live.device)
        earlier = number & (number - 1).clamp_min(0)
        length = _over_time.lengths(features)
        alike = _over_time.to_earlier(features, length, earlier[:, None].expand_as(live))
        comparable = live[earlier] & (number > 0)[:, None]
        alike = alike.masked_fill(~comparable, _ops.NEVER)
        # Frames take turns, so that each gets the same share and the least similar the remainder.
        turn = _ops.ranks_in_frames(alike, live)
        return torch.where(whole, 1 + spread.long(), -4 * MILLION * (turn + 1) - _millionths(alike))


def _millionths(alike: Tensor) -> Tensor:
    """Returns similarities in millionths, to which they are rounded, int64."""
    return (alike * MILLION).round().long()


def _is_whole(counts: Tensor, budget: int) -> Tensor:
    """Returns which frames are kept whole, bool `(T,)`; no host waits.

    Every `GROUP * 2^k`-th one is, for the least `k` that fits, or only the first frame.

    Args:
        counts: live tokens of each frame `(T,)`.
        budget: tokens that are kept.
    """
    frames = len(counts)
    doublings = torch.arange((-(-frames // GROUP) - 1).bit_length() + 1, device=counts.device)
    every = GROUP << doublings
    begins = torch.arange(frames, device=counts.device) % every[:, None] == 0
    too_many = (begins * counts).sum(1)[:-1] > budget
    return begins.index_select(0, too_many.sum()[None])[0]
