"""Keeps evenly spaced frames: temporal sampling, the baseline that every table starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

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
        live = tokens.live.cpu() if tokens.mask is not None else _everywhere(tokens)
        per_frame = live.sum(1)
        filled = per_frame.nonzero().flatten()
        chosen = filled[_ops.evenly(len(filled), _fewest(per_frame[filled], budget))]
        sampled = torch.zeros_like(live)
        sampled[chosen] = live[chosen]
        candidates = sampled.flatten().nonzero().flatten()
        kept = candidates[_ops.evenly(len(candidates), budget)]
        return _ops.keep(tokens, kept.to(tokens.features.device))


def _everywhere(tokens: VideoTokens) -> Tensor:
    return torch.ones(tokens.features.shape[:2], dtype=torch.bool)


def _fewest(counts: Tensor, budget: int) -> int:
    """Returns how many evenly spaced frames hold the budget, the fewest.

    Args:
        counts: live tokens of each frame that has one, `(F,)`.
        budget: at most their sum.
    """
    frames = len(counts)
    least = max(1, -(-budget // int(counts.max())))
    for first in stoppable(range(least, frames + 1, _ops.FRAMES)):
        # One row for each number of frames that is tried, its frames at the centres of equal parts.
        number = torch.arange(first, min(first + _ops.FRAMES, frames + 1))[:, None]
        place = torch.arange(frames)
        begins = (2 * place + 1) * frames // (2 * number)
        held = (counts[begins.clamp_max(frames - 1)] * (place < number)).sum(1)
        if bool((held >= budget).any()):
            return int(number[(held >= budget).byte().argmax()])
    return frames
