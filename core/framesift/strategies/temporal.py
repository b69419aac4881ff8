"""Drops patches that look as they did when they were last kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops, _over_time
from framesift.strategies._blocks import blocks
from framesift.strategies._last_kept import LastKept, last_kept
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
SETTLED = 2**18
"""Tokens that are searched again at once, unless a single place has more."""
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
        features, live = tokens.features, tokens.live
        if len(live) == 1:  # Each token is the first of its place.
            return -_to_frame(tokens)[None]
        first, begins = live.byte().argmax(0), live.any(0).sum()
        length = _over_time.lengths(features)
        previous = _over_time.to_previous(features, length)
        before = torch.arange(-1, len(live) - 1, device=live.device)[:, None].expand_as(previous)
        if self.threshold is None:
            guesses = _likely(previous, live, budget)
        else:
            guesses = torch.full((1,), self.threshold, device=live.device)
        search = last_kept(features, live, length, (previous, before))
        del previous, before  # four bytes of each token, which the search has in its own way
        if self.threshold is None:
            fits = begins < budget
            threshold = _solve(search, guesses, fits, budget)
        else:
            fits = begins <= budget
            threshold = guesses[0]
        threshold = torch.where(fits, threshold, -1.0)
        kept = search.kept(threshold)
        found = _over_time.to_last(features, length, kept)
        if live.device.type == "cpu":
            _settle(tokens, length, threshold, kept, found)
        frame, to_frame = torch.arange(len(live), device=live.device)[:, None], _to_frame(tokens)
        for own in blocks(len(live), 4 * live.shape[1], device=live.device):
            is_first = live[own] & (frame[own] == first)
            within = (is_first * 8.0 + kept[own] * 4.0) * fits
            found[own] = within - torch.where(is_first, to_frame, found[own])
        return found


def _solve(search: LastKept, thresholds: Tensor, fits: Tensor, budget: int) -> Tensor:
    """Returns the highest threshold tried whose tokens fit the budget, `()`.

    Its steps stay on the device of the tokens; only on the CPU, where it costs no waiting, does
    the search end before its last round.
    """
    device, done = thresholds.device, ~fits
    ends = torch.arange(-1.0, 2.0, 2.0, device=device)
    both, none = torch.arange(2, device=device), torch.zeros(1, dtype=torch.int64, device=device)
    parts = _ops.divided(torch.arange(1.0, AT_ONCE + 1, device=device), AT_ONCE + 1)
    for _ in range(ROUNDS):
        if device.type == "cpu" and bool(done):
            break
        counts = search.counts(thresholds)
        fitting = ((counts > budget).cumsum(0) == 0).sum()
        bounds = torch.cat([ends[:1], thresholds, ends[1:]])
        ends = torch.where(done, ends, bounds.gather(0, fitting + both))
        most = torch.cat([none, counts]).gather(0, fitting[None])[0]
        done = done | (most >= CLOSE_ENOUGH * budget)
        thresholds = ends[0] + (ends[1] - ends[0]) * parts
    return ends[0]


def _likely(to_previous: Tensor, live: Tensor, budget: int) -> Tensor:
    """Returns ascending thresholds `(AT_ONCE,)` around the one that neighbouring frames suggest."""
    ordered = to_previous.masked_fill(~live, 1.0).clamp_min_(-1.0).flatten()
    ranks = [min(int(share * budget), len(ordered) - 1) for share in SHARES]
    if ordered.device.type == "cpu":
        ordered.numpy().partition(ranks)
    else:
        ordered = ordered.sort().values
    # Plain indices and factors, as a tensor made of a list would wait for the device.
    guesses = [ordered[rank] for rank in ranks]
    further = [1 - (1 - guesses[1]) * step for step in STEPS]
    return torch.stack([*guesses, *further]).clamp_min(-1.0).sort().values


def _to_frame(tokens: VideoTokens) -> Tensor:
    """Returns how like the mean of its frame the first live token of each place is, `(N,)`."""
    features, first = tokens.features, tokens.live.byte().argmax(0)
    seen = features[:1] if tokens.mask is None else features
    means = torch.cat([part.float().mean(1) for part in stoppable(seen.split(_ops.FRAMES))])
    begin = features[first, torch.arange(len(first), device=first.device)].float()
    return _ops.similarity(begin, means[first])


def _settle(
    tokens: VideoTokens, length: Tensor, threshold: Tensor, kept: Tensor, similarity: Tensor
) -> None:
    """Corrects what is kept, and how like the last kept token each token is, both `(T, N)`.

    A sum over channels depends on its order in the last bit, so one similarity in millions is on
    the other side of the threshold in the search. Places that have one are searched again, with
    the similarities that are known now, until all are as a loop over frames has them.
    """
    live = tokens.live
    number, first = torch.arange(len(live))[:, None], live.byte().argmax(0)
    for _ in stoppable(range(len(live))):
        is_wrong = torch.zeros_like(first, dtype=torch.bool)
        for own in blocks(len(live), 4 * len(first), device=live.device):
            begun = live[own] & (number[own] > first)
            is_wrong |= (((similarity[own] <= threshold) != kept[own]) & begun).any(0)
        wrong = is_wrong.nonzero().flatten()
        if not len(wrong):
            break
        # A few places at a time, since what is known of each of their tokens is wide.
        for some in wrong.split(max(1, SETTLED // len(live))):
            known = similarity[:, some], _over_time.last_before(kept[:, some])
            parts = [each[:, some] for each in (live, length)]
            search = LastKept(tokens.features, parts[0], parts[1], known, some)
            kept[:, some] = search.kept(threshold)
            similarity[:, some] = _over_time.to_last(tokens.features, parts[1], kept[:, some], some)
