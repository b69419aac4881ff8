"""Folds each token into the one before it at its place, the most alike first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Self

import torch
from torch import Tensor

from framesift.run import report_progress, stoppable
from framesift.strategies import _ops
from framesift.strategies.base import Strategy
from framesift.types.device import segment_sums
from framesift.types.options import Similarity
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

LEAST_MERGED = 0.1
"""Share of the tokens below which another round of merging is not worth it."""
FRAMES_AT_ONCE = 64
"""Frames that are compared at once."""


@dataclass(frozen=True, kw_only=True)
class FrameFusion(Strategy):
    """Merges runs of like tokens at one place over time, until the budget is met.

    Each token is compared with the one before it at its place. Where enough tokens reach the
    threshold, the most alike are merged and the budget is met; where not, all that reach it are
    merged and what is left is compared again. A run of merged tokens is folded into the token
    before it, as the plain mean of that round's tokens. When a round merges less than a tenth, the
    last one merges without a threshold.

    Differences from the published method:

    - All rounds see the tokens before the LLM. The original merges once per layer, on states that
      the layers have changed, and then prunes by the attention of the last query, which is not
      known here. Where one token for each place is still too many, those least like the mean of
      all that are left survive.
    - The number of tokens is the budget; the original solves for a cost of 28 layers, whatever the
      model has, and fails where it cannot be reached.
    """

    summary: ClassVar[str] = "runs of like tokens at one place merged over time"
    paper: ClassVar[str] = "https://arxiv.org/abs/2501.01986"
    cost: ClassVar[str] = "O(T N D)"

    threshold: Similarity = 0.6
    """Cosine similarity from which a round merges tokens; published with 0.5 to 0.6."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan whose rows are the runs that were merged."""
        similarity, live = _to_previous(tokens).T.flatten(), tokens.live.T.flatten()
        source = torch.arange(tokens.count, device=live.device).view_as(tokens.live).T.flatten()
        if tokens.mask is not None:
            source, similarity = source[live], similarity[live]
        runs = _Runs.of(source, tokens)
        while True:
            report_progress("plan", len(source) - runs.count, len(source) - budget, "token")
            mergeable, excess = similarity >= self.threshold, runs.count - budget
            firsts = similarity == _ops.NEVER
            count, least = torch.stack([mergeable.sum(), firsts.sum()]).tolist()
            if met := count >= excess or count < LEAST_MERGED * runs.count:
                mergeable = ~_most(-similarity, max(budget, least), runs.head)
            runs = runs.folded(~mergeable)
            if met:
                break
            similarity = runs.to_previous()
        chosen = torch.ones_like(runs.head, dtype=torch.bool)
        if runs.count > budget:
            means = torch.cat(list(runs.means()))
            typical = _ops.similarity(means, means.mean(0, keepdim=True))
            chosen = _most(-typical, budget, runs.head)
        return runs.plan(chosen, budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """Tokens by place, then by time, that are merged in runs of neighbours."""

    tokens: VideoTokens
    source: Tensor
    """Each live token, int64 `(V,)`."""
    row: Tensor
    """The run of each of them, ascending `(V,)`."""
    weight: Tensor
    """What each counts in the mean of its run, float32 `(V,)`."""
    head: Tensor
    """First token of each run, `(R,)`."""

    @classmethod
    def of(cls, source: Tensor, tokens: VideoTokens) -> Self:
        """Returns a run for each token."""
        row = torch.arange(len(source), device=source.device)
        weight = torch.ones(len(source), device=source.device)
        return cls(tokens=tokens, source=source, row=row, weight=weight, head=source)

    @property
    def count(self) -> int:
        """Number of runs."""
        return len(self.head)

    def folded(self, starts: Tensor) -> Self:
        """Returns the runs in which each joins the one before it, but those that are `starts`."""
        run = starts.long().cumsum(0) - 1
        size = torch.zeros_like(run).index_add_(0, run, torch.ones_like(run))
        row = run[self.row]
        return replace(self, row=row, weight=self.weight / size[row], head=self.head[starts])

    def means(self) -> Iterator[Tensor]:
        """Yields the means of the runs in blocks, float32 `(r, D)`."""
        flat = self.tokens.features.flatten(0, 1)
        lengths = torch.bincount(self.row, minlength=self.count)
        ends, at_once = lengths.cumsum(0), FRAMES_AT_ONCE * self.tokens.tokens_per_frame
        # A block ends with the run that reaches its last token, and so may be a little larger.
        stops = torch.arange(at_once, len(self.source) + at_once, at_once, device=ends.device)
        rows = torch.searchsorted(ends, stops).add_(1).clamp_max_(self.count)
        block = zip(*torch.stack([rows, ends[rows - 1]]).tolist(), strict=True)
        for (start, first), (stop, last) in stoppable(pairwise([(0, 0), *block])):
            if start < stop:
                part = flat[self.source[first:last]].float().mul_(self.weight[first:last, None])
                yield segment_sums(part, lengths[start:stop])

    def to_previous(self) -> Tensor:
        """Returns the cosine of each run to the one before it at its place, `(R,)`."""
        parts, last = [], self.tokens.features[:1, 0].float()
        for means in self.means():
            parts.append(_ops.similarity(means, torch.cat([last, means[:-1]])))
            last = means[-1:]
        place = self.head % self.tokens.tokens_per_frame
        first = torch.ones_like(place, dtype=torch.bool)
        first[1:] = place[1:] != place[:-1]
        return torch.cat(parts).masked_fill(first, _ops.NEVER)

    def plan(self, chosen: Tensor, count: int) -> TokenPlan:
        """Returns the plan of the chosen runs, of which there are `count`."""
        number = torch.where(chosen, chosen.long().cumsum(0) - 1, -1)[self.row]
        used = number >= 0
        return TokenPlan.from_entries(
            dst=number[used],
            src=self.source[used],
            weight=self.weight[used],
            num_in=self.tokens.count,
            num_out=count,
            tokens_per_frame=self.tokens.tokens_per_frame,
        )


def _most(values: Tensor, count: int, source: Tensor) -> Tensor:
    """Returns the mask of the highest `values`, those of earlier tokens on ties."""
    by_time = source.argsort()
    mask = _ops.top(values[by_time], torch.ones_like(by_time, dtype=torch.bool), count)
    return torch.empty_like(mask).index_copy_(0, by_time, mask)


def _to_previous(tokens: VideoTokens) -> Tensor:
    """Returns the cosine of each token to the last live one before it at its place, `(T, N)`.

    It is `_ops.NEVER` where there is none, and anything at tokens that are not live.
    """
    features, (frames, patches) = tokens.features, tokens.live.shape
    frame = torch.arange(frames, device=features.device)[:, None]
    last = torch.where(tokens.live, frame, -1).cummax(0).values
    place = last.clamp_min(0) * patches + torch.arange(patches, device=features.device)
    out = torch.full((frames, patches), _ops.NEVER, device=features.device)
    for start in stoppable(range(1, frames, FRAMES_AT_ONCE)):
        stop = min(start + FRAMES_AT_ONCE, frames)
        before = features[start - 1 : stop - 1]
        if tokens.mask is not None:
            before = features.flatten(0, 1)[place[start - 1 : stop - 1]]
        pair = features[start:stop].float(), before.float()
        length = [_ops.length(each) for each in pair]
        alike = _ops.cosine_of(_ops.dots(*pair), *length)
        out[start:stop] = alike.where(last[start - 1 : stop - 1] >= 0, _ops.NEVER)
    return out
