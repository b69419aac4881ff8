"""Keeps the patches that changed most since the frame before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies import _ops, _over_time
from framesift.strategies.base import ScoreStrategy
from framesift.types.tokens import VideoTokens

FIRST = 255.0
"""Rank value of a token that nothing comes before, above every cosine distance."""


@dataclass(frozen=True, kw_only=True)
class EVS(ScoreStrategy):
    """Ranks a patch by its cosine distance to the one at its place in the frame before.

    The first frame ranks above all others. Every other token competes over the whole video, so a
    frame in which nothing moves may keep none. Serving engines ship this method: in vLLM by
    `--video-pruning-rate` of `1 - keep` with `--video-pruning-method evs`. A change that is slow
    enough is never seen: each step of it is small.

    Differences from the shipped method:

    - A budget below one frame holds; the original then keeps the first frame whole. It goes to
      evenly spaced tokens of that frame, not to its first rows.
    - Distances are computed in float32 and rounded to 1e-6, so that equal tokens tie and the
      earlier one is kept. An engine computes them in the dtype of its model: in bfloat16 they come
      in coarse steps, more tokens tie, and a fifth of the tokens kept may be others. Without
      rounding the order of equal tokens, as in a static video, is that of the last bits of sums.
    - Where tokens are masked, a patch is compared with the last live one of its place, and the
      first live one of a place counts as its first frame.
    """

    summary: ClassVar[str] = "patches that changed since the frame before"
    paper: ClassVar[str] = "https://arxiv.org/abs/2510.14624"
    cost: ClassVar[str] = "O(T N D)"

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the distance of each token to the one before, `(T, N)`; firsts have 255."""
        live = tokens.live
        firsts = live & (live.cumsum(0) == 1)
        spread = _ops.evenly_spaced(firsts.flatten(), budget).view_as(firsts)
        length = _over_time.lengths(tokens.features)
        if tokens.mask is None:
            alike = _over_time.to_previous(tokens.features, length)
        else:
            alike = _over_time.to_last(tokens.features, length, live)
        return torch.where(firsts, FIRST + spread, 1 - alike)
