"""Keeps one frame of each group whole, and of the others what differs from an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies.base import ScoreStrategy
from framesift.types.tokens import VideoTokens

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
        """Returns the rank of each token, float64 `(T, N)`, those of whole frames above all."""
        live = tokens.live
        whole = torch.zeros_like(live)
        whole[:: _group_length(live.sum(1).tolist(), budget)] = True
        whole &= live
        spread = _ops.evenly_spaced(whole.flatten(), budget).view_as(whole)
        alike = _to_earlier(tokens)
        # Frames take turns, so that each gets the same share and the least similar the remainder.
        turn = _ops.ranks_in_frames(alike, live)
        return torch.where(whole, 1.0 + spread, -4.0 * turn - 4 - alike.double())


def _group_length(counts: list[int], budget: int) -> int:
    """Returns the shortest length of groups whose first frames fit, or that has one group only."""
    length = GROUP
    while length < len(counts) and sum(counts[::length]) > budget:
        length *= 2
    return length


def _to_earlier(tokens: VideoTokens) -> Tensor:
    """Returns the cosine of each token to its place in the frame compared with, `(T, N)`.

    It is `_ops.NEVER` in the first frame, and where that place takes no part.
    """
    rows = [torch.full_like(tokens.features[0, :, 0], _ops.NEVER, dtype=torch.float32)]
    for index in stoppable(range(1, tokens.frame_count)):
        earlier = index & (index - 1)
        current, before = tokens.features[index].float(), tokens.features[earlier].float()
        alike = _ops.similarity(current, before)
        rows.append(alike.masked_fill(~tokens.live[earlier], _ops.NEVER))
    return torch.stack(rows)
