"""Keeps evenly spaced frames: temporal sampling, the baseline that every table starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies.base import Strategy
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class Uniform(Strategy):
    """Keeps the fewest evenly spaced frames that hold the budget, thinned evenly to meet it.

    A budget of whole frames keeps whole frames. Any other budget takes one frame more and leaves
    out tokens at a regular stride, so that no frame and no region loses more than another.
    """

    summary: ClassVar[str] = "evenly spaced frames, temporal sampling"
    cost: ClassVar[str] = "O(T N)"
    output: ClassVar[str] = "kept"

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan that keeps `budget` tokens of evenly spaced frames."""
        live = tokens.live.cpu()
        per_frame = live.sum(1)
        filled = per_frame.nonzero().flatten()
        for count in stoppable(range(-(-budget // tokens.tokens_per_frame), len(filled) + 1)):
            chosen = filled[_ops.evenly(len(filled), count)]
            if int(per_frame[chosen].sum()) >= budget:
                break
        sampled = torch.zeros_like(live)
        sampled[chosen] = live[chosen]
        candidates = sampled.flatten().nonzero().flatten()
        return TokenPlan.keep(
            candidates[_ops.evenly(len(candidates), budget)],
            num_in=tokens.count,
            tokens_per_frame=tokens.tokens_per_frame,
        )
