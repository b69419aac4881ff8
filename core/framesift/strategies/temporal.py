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

ROUNDS, AT_ONCE = 7, 4
"""The search for a threshold narrows its range [-1, 1] to a fifth at most 7 times, to 3e-5."""
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
        firsts = tokens.live & (tokens.live.cumsum(0) == 1)
        at_first = torch.stack([_similarity_to_mean(frame) for frame in tokens.features])
        if int(firsts.sum()) >= budget:
            kept, similarity = _scan(tokens, firsts, [-1.0])
            return -torch.where(firsts, at_first, similarity[0])
        if self.threshold is None:
            kept, similarity = _solve(tokens, firsts, budget)
        else:
            kept, similarity = (found[0] for found in _scan(tokens, firsts, [self.threshold]))
        return firsts * 8.0 + kept * 4.0 - torch.where(firsts, at_first, similarity)


def _solve(tokens: VideoTokens, firsts: Tensor, budget: int) -> tuple[Tensor, Tensor]:
    """Returns `_scan` at the highest threshold found whose tokens fit the budget."""
    low, high = -1.0, 1.0
    best = None
    for _ in range(ROUNDS):
        thresholds = torch.linspace(low, high, AT_ONCE + 2)[1:-1].tolist()
        kept, similarity = _scan(tokens, firsts, thresholds)
        counts = kept.sum((1, 2)).tolist()
        fitting = next((i for i, count in enumerate(counts) if count > budget), AT_ONCE)
        if fitting > 0:
            best = kept[fitting - 1], similarity[fitting - 1]
            if counts[fitting - 1] >= CLOSE_ENOUGH * budget:
                return best
        bounds = [low, *thresholds, high]
        low, high = bounds[fitting], bounds[fitting + 1]
    if best is None:
        kept, similarity = _scan(tokens, firsts, [-1.0])
        best = kept[0], similarity[0]
    return best


def _similarity_to_mean(frame: Tensor) -> Tensor:
    """Returns the cosine of each token of a frame `(N, D)` to their mean, `(N,)`."""
    wide = frame.float()
    return _ops.similarity(wide, wide.mean(0, keepdim=True))


def _scan(tokens: VideoTokens, firsts: Tensor, thresholds: list[float]) -> tuple[Tensor, Tensor]:
    """Returns, for each threshold, what is kept and how like the last kept token each token is.

    Both are `(K, T, N)`. Only one frame per threshold is held besides the tokens.
    """
    live = tokens.live
    limits = torch.tensor(thresholds, device=live.device)[:, None]
    kept = torch.zeros(len(thresholds), *live.shape, dtype=torch.bool, device=live.device)
    similarity = torch.ones(kept.shape, device=live.device)
    last = tokens.features[0].float().expand(len(thresholds), -1, -1)
    for t, frame in enumerate(tokens.features):
        current = frame.float()
        similarity[:, t] = _ops.similarity(current, last)
        kept[:, t] = live[t] & (firsts[t] | (similarity[:, t] <= limits))
        last = torch.where(kept[:, t, :, None], current, last)
    return kept, similarity
