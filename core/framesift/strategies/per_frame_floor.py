"""Leaves no frame without a token, whatever the strategy within would keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._wrapper import Wrapper
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class PerFrameFloor(Wrapper):
    """Gives each frame that another strategy empties one token, within the same budget.

    The token of such a frame is the one that the strategy keeps of this frame alone; where it
    merges, the token most like the merged one. It is kept unmerged, and the strategy decides again
    on one token less, until every frame has one. Where the budget is below the number of frames,
    evenly spaced frames get one token each.
    """

    summary: ClassVar[str] = "at least one token of every frame, the rest by any strategy"

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of the strategy within that leaves no live frame empty."""
        filled = tokens.live.any(1).cpu()
        frames, kept = filled.nonzero().flatten(), torch.zeros_like(tokens.live)
        if budget < len(frames):
            for frame in stoppable(frames[_ops.evenly(len(frames), budget)].tolist()):
                kept[frame, self._token(tokens, frame, question)] = True
            return _ops.keep_mask(tokens, kept)
        while True:
            plan = self.inner.decide_beside(kept, tokens, budget, question)
            empty = filled & (plan.frame_counts() == 0)
            if not bool(empty.any()):
                return plan
            for frame in stoppable(empty.nonzero().flatten().tolist()):
                kept[frame, self._token(tokens, frame, question)] = True

    def _token(self, tokens: VideoTokens, frame: int, question: str | None) -> int:
        """Returns the token, in [0, N), that the strategy within keeps of one frame alone."""
        alone = tokens.frames([frame])
        plan = self.inner.decide(alone, 1, question)
        features = alone.features[0].float()
        alike = _ops.similarity(features[plan.src.to(features.device)], plan.apply(features))
        best = _ops.top(alike, torch.ones_like(alike, dtype=torch.bool), 1)
        return int(plan.src[best.nonzero().flatten().cpu()])
