"""Drops patches that look as they did when they were last kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError
from framesift.strategies import _ops
from framesift.strategies.base import ScoreStrategy
from framesift.types.tokens import VideoTokens

BISECTIONS = 16
"""Most halvings of the threshold's range [-1, 1]: a resolution of 3e-5 in cosine similarity."""
CLOSE_ENOUGH = 0.995
"""Share of the budget at which the search ends; ranking completes the rest."""


@dataclass(frozen=True, kw_only=True)
class Temporal(ScoreStrategy):
    """Drops a patch when its cosine similarity to the last kept token of its place is too high.

    Comparing with the last *kept* token, not with the previous frame, sees slow drift: a patch
    that fades over a minute is kept again once it has changed enough. The threshold is the highest
    one whose result fits the budget; what is left of the budget goes to the dropped tokens that
    changed most. Where not even the first appearance of every place fits, all tokens are ranked by
    novelty, a first appearance by how much it differs from its own frame's mean.
    """

    summary: ClassVar[str] = "patches that changed since they were last kept"

    threshold: float | None = None
    """Similarity in [-1, 1] above which a patch is dropped; None solves for the budget. Noise and
    compression stay above 0.99 with the handcrafted encoder, half of all changes below 0.85."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold is not None and not -1 <= self.threshold <= 1:
            raise InvalidOptionError(
                f"threshold={self.threshold!r} must be a cosine similarity within [-1, 1]"
            )

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the novelty of each token `(T, N)`, tokens within the threshold above all."""
        firsts = _first_appearance(tokens.live)
        similarity = torch.where(firsts, _similarity_to_frame(tokens), -1.0)
        if int(firsts.sum()) >= budget:
            _, followed = _scan(tokens, firsts, -1.0)
            return -torch.where(firsts, similarity, followed)
        threshold = (
            self._solve(tokens, firsts, budget) if self.threshold is None else self.threshold
        )
        kept, followed = _scan(tokens, firsts, threshold)
        return firsts * 8.0 + kept * 4.0 - torch.where(firsts, similarity, followed)

    def _solve(self, tokens: VideoTokens, firsts: Tensor, budget: int) -> float:
        low, high = -1.0, 1.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            count = int(_scan(tokens, firsts, middle)[0].sum())
            if CLOSE_ENOUGH * budget <= count <= budget:
                return middle
            low, high = (middle, high) if count < budget else (low, middle)
        return low


def _first_appearance(live: Tensor) -> Tensor:
    """Returns the mask of the first live token of every place, `(T, N)`."""
    return live & (live.cumsum(0) == 1)


def _similarity_to_frame(tokens: VideoTokens) -> Tensor:
    """Returns the cosine of each token to the mean of its frame, `(T, N)`."""
    frames = (frame.float() for frame in tokens.features)
    return torch.stack([_ops.similarity(frame, frame.mean(0, keepdim=True)) for frame in frames])


def _scan(tokens: VideoTokens, firsts: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Returns which tokens are kept and their similarity to the last kept one, both `(T, N)`."""
    live = tokens.live
    kept = torch.zeros_like(live)
    similarity = torch.ones(live.shape, device=live.device)
    last = tokens.features[0].float()
    for t, frame in enumerate(tokens.features):
        current = frame.float()
        similarity[t] = _ops.similarity(current, last)
        kept[t] = live[t] & (firsts[t] | (similarity[t] <= threshold))
        last = torch.where(kept[t, :, None], current, last)
    return kept, similarity
