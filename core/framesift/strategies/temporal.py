"""Drops patches that look as they did when they were last kept."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies.base import ScoreStrategy
from framesift.types.options import Similarity
from framesift.types.tokens import VideoTokens

ROUNDS = 7
"""Passes of the search at most. Each narrows the range of the threshold, [-1, 1], to a seventh; the
first one looks where neighbouring frames suggest that it is."""
SHARES, STEPS = (1.04, 1.01, 0.99, 0.95, 0.8), (2.0,)
"""Where that is: shares of the budget if tokens were compared with the frame before, and distances
from 1 that are so many times as far."""
AT_ONCE = len(SHARES) + len(STEPS)
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
    cost: ClassVar[str] = "O(T N D)"

    threshold: Similarity | None = None
    """Cosine similarity above which a patch is dropped; None solves for the budget. Noise and
    compression stay above 0.99 with the handcrafted encoder, half of all changes below 0.85."""

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the novelty of each token `(T, N)`, tokens within the threshold above all."""
        live = tokens.live
        firsts = live & (live.cumsum(0) == 1)
        begin = tokens.features[:1] if tokens.mask is None else tokens.features
        at_first = torch.stack([_ops.similarity_to_mean(frame) for frame in stoppable(begin)])
        if self.threshold is None:
            fits = firsts.sum() < budget
            threshold = _solve(tokens, firsts, fits, budget)
        else:
            fits = firsts.sum() <= budget
            threshold = torch.full((), self.threshold, device=live.device)
        threshold = torch.where(fits, threshold, -1.0)
        steps = [(kept[0], like[0]) for kept, like in _scan(tokens, firsts, threshold[None])]
        kept, similarity = (torch.stack(column) for column in zip(*steps, strict=True))
        within = (firsts * 8.0 + kept * 4.0) * fits
        return within - torch.where(firsts, at_first, similarity)


def _solve(tokens: VideoTokens, firsts: Tensor, fits: Tensor, budget: int) -> Tensor:
    """Returns the highest threshold tried whose tokens fit the budget, `()`.

    Its steps stay on the device of the tokens; only on the CPU, where it costs no waiting, does
    the search end before its last round.
    """
    device, done = firsts.device, ~fits
    low, high = torch.full((), -1.0, device=device), torch.full((), 1.0, device=device)
    parts = _ops.divided(torch.arange(1.0, AT_ONCE + 1, device=device), AT_ONCE + 1)
    thresholds = _likely(tokens, budget)
    for _ in range(ROUNDS):
        if device.type == "cpu" and bool(done):
            break
        kept = (kept.sum(1) for kept, _ in _scan(tokens, firsts, thresholds))
        counts = functools.reduce(torch.add, kept)
        fitting = ((counts > budget).cumsum(0) == 0).sum()[None]
        bounds = torch.cat([low[None], thresholds, high[None]])
        low = torch.where(done, low, bounds.gather(0, fitting)[0])
        high = torch.where(done, high, bounds.gather(0, fitting + 1)[0])
        most = counts.gather(0, (fitting - 1).clamp_min(0))[0]
        done = done | ((fitting[0] > 0) & (most >= CLOSE_ENOUGH * budget))
        thresholds = low + (high - low) * parts
    return low


def _likely(tokens: VideoTokens, budget: int) -> Tensor:
    """Returns ascending thresholds `(AT_ONCE,)` around the one that neighbouring frames suggest."""
    features, live = tokens.features, tokens.live
    rows = [torch.full_like(features[0, :, 0], -1.0, dtype=torch.float32)]
    for before, after in stoppable(itertools.pairwise(features)):
        rows.append(_ops.similarity(after.float(), before.float()))
    ordered = torch.stack(rows).masked_fill(~live, 1.0).flatten().sort().values
    # Plain indices and factors, as a tensor made of a list would wait for the device.
    guesses = [ordered[min(int(share * budget), len(ordered) - 1)] for share in SHARES]
    further = [1 - (1 - guesses[1]) * step for step in STEPS]
    return torch.stack([*guesses, *further]).clamp_min(-1.0).sort().values


def _scan(
    tokens: VideoTokens, firsts: Tensor, thresholds: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields of each frame what is kept, and how like the last kept token each token is.

    Both are `(K, N)` for `thresholds` `(K,)`, so that a search holds one frame at a time.
    """
    last = tokens.features[0].float().expand(len(thresholds), -1, -1)
    last_length = torch.linalg.vector_norm(last[0], dim=-1)
    for frame, live, first in stoppable(zip(tokens.features, tokens.live, firsts, strict=True)):
        current = frame.float()
        length = torch.linalg.vector_norm(current, dim=-1)
        similarity = _ops.cosine(current, last, length, last_length)
        kept = live & (first | (similarity <= thresholds[:, None]))
        # Weights of 0 and 1 give one of both to the bit, in a third of the time that `where` takes.
        last = last.lerp(current, kept[..., None].float())
        last_length = torch.where(kept, length, last_length)
        yield kept, similarity
