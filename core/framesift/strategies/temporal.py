"""Drops patches that look as they did when they were last kept."""

from __future__ import annotations

import functools
from collections.abc import Iterator
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
        fits = int(firsts.sum()) < budget
        if fits and self.threshold is None:
            threshold = _solve(tokens, firsts, budget)
        else:
            threshold = self.threshold if fits and self.threshold is not None else -1.0
        steps = [(kept[0], like[0]) for kept, like in _scan(tokens, firsts, [threshold])]
        kept, similarity = (torch.stack(column) for column in zip(*steps, strict=True))
        within = firsts * 8.0 + kept * 4.0 if fits else 0.0
        return within - torch.where(firsts, at_first, similarity)


def _solve(tokens: VideoTokens, firsts: Tensor, budget: int) -> float:
    """Returns the highest threshold found whose tokens fit the budget."""
    low, high = -1.0, 1.0
    for _ in range(ROUNDS):
        thresholds = torch.linspace(low, high, AT_ONCE + 2)[1:-1].tolist()
        kept = (kept.sum(1) for kept, _ in _scan(tokens, firsts, thresholds))
        counts = functools.reduce(torch.add, kept).tolist()
        fitting = next((i for i, count in enumerate(counts) if count > budget), AT_ONCE)
        bounds = [low, *thresholds, high]
        low, high = bounds[fitting], bounds[fitting + 1]
        if fitting and counts[fitting - 1] >= CLOSE_ENOUGH * budget:
            break
    return low


def _similarity_to_mean(frame: Tensor) -> Tensor:
    """Returns the cosine of each token of a frame `(N, D)` to their mean, `(N,)`."""
    wide = frame.float()
    return _ops.similarity(wide, wide.mean(0, keepdim=True))


def _scan(
    tokens: VideoTokens, firsts: Tensor, thresholds: list[float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields of each frame what is kept, and how like the last kept token each token is.

    Both are `(K, N)` for `K` thresholds, so that a search holds one frame at a time.
    """
    limits = torch.tensor(thresholds, device=firsts.device)[:, None]
    last = tokens.features[0].float().expand(len(thresholds), -1, -1)
    for frame, live, first in zip(tokens.features, tokens.live, firsts, strict=True):
        current = frame.float()
        similarity = _ops.similarity(current, last)
        kept = live & (first | (similarity <= limits))
        last = torch.where(kept[..., None], current, last)
        yield kept, similarity
