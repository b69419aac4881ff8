"""Keeps salient tokens of every frame and merges the rest of a segment into its anchor frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._importance import ImportanceStrategy
from framesift.strategies._pairwise import cosines
from framesift.strategies._rows import PlanRows
from framesift.strategies.dpc_knn import centers
from framesift.strategies.shares import shares
from framesift.types.options import Count, Share, Similarity
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class FastVid(ImportanceStrategy):
    """Cuts a video where frames differ, keeps salient tokens and condenses the others per segment.

    A cut lies at the least alike neighbouring frames and wherever they are less alike than the
    threshold. Part of each frame's budget goes to the tokens of highest attention, the rest to
    the segment's anchor frames, every `step`-th counted back from the last: their densest
    other tokens (DPC-KNN) are centres, and *each* anchor takes in all other tokens of the whole
    segment, each token at the centre of highest cosine. A centre is blended with the mean of what
    it took in. Entries of the plan grow with the square of a segment's length.

    Differences from the published code (https://github.com/LunarShen/FastVID):

    - It is written after the variant for LLaVA-OneVision; those for other models differ.
    - A frame is described by the mean of its tokens; the head that pools them there belongs to
      SigLIP.
    - Anchors share the segment's number of centres without loss, where each rounds down there. What
      exceeds an anchor's tokens goes to further salient tokens of the segment.
    - A centre does not take in itself or the other centres of its anchor.
    - With the whole budget nothing is merged. There other anchors' tokens are mixed in.
    - Clustering is without noise (`dpc_knn`): a static video gives the same centres on each run.
    """

    summary: ClassVar[str] = "salient patches, the rest of a segment merged into anchor frames"
    paper: ClassVar[str] = "https://arxiv.org/abs/2503.11187"
    cost: ClassVar[str] = "O(T N^2 D + T N M D)"

    segments: Count = 8
    """Least number of segments, where there are as many frames, `c` in the paper."""
    threshold: Similarity = 0.9
    """Cosine similarity of neighbouring frames below which there is a cut."""
    context: Share = 0.4
    """Share of the budget for merged tokens, `d` in the paper."""
    step: Count = 4
    """Frames from one anchor to the next, `p` in the paper."""
    beta: Share = 0.6
    """Least weight of a centre in its blend."""
    neighbors: Count = 4
    """Nearest points, itself among them, by which clustering measures a token's density."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of salient tokens and of the centres of every segment."""
        if budget == tokens.live_count:
            return _ops.keep_mask(tokens, tokens.live)
        attention, rows = self.measure(tokens), PlanRows(tokens)
        sizes = tokens.live.sum(1).tolist()
        budgets = shares(sizes, budget)
        for start, stop in stoppable(pairwise([0, *self._cuts(tokens), tokens.frame_count])):
            salient, context = _divided(
                sizes[start:stop], budgets[start:stop], self.context, self.step
            )
            chosen = [
                _ops.top(attention[frame], tokens.live[frame], count)
                for frame, count in enumerate(salient, start=start)
            ]
            kept = torch.stack(chosen)
            rows.keep(start * tokens.tokens_per_frame + kept.flatten().nonzero().flatten())
            if any(context):
                self._merge(rows, start, tokens.live[start:stop] & ~kept, context)
        return rows.plan()

    def _cuts(self, tokens: VideoTokens) -> list[int]:
        """Returns the frames at which a segment begins, without the first."""
        if tokens.frame_count == 1:
            return []
        means = _ops.frame_means(tokens)
        alike = _ops.similarity(means[:-1], means[1:])
        cut = (alike < self.threshold).index_fill(
            0, torch.argsort(alike, stable=True)[: self.segments - 1], True
        )
        places: list[int] = cut.nonzero().flatten().add(1).tolist()
        return places

    def _merge(self, rows: PlanRows, start: int, others: Tensor, context: Sequence[int]) -> None:
        """Adds the centres of a segment's anchors, each blended with what it takes in.

        Args:
            rows: where the rows go.
            start: first frame of the segment.
            others: live tokens that are not salient, bool `(F, N)`.
            context: number of centres in each frame, 0 where the frame is not an anchor.
        """
        features = rows.tokens.features[start : start + len(others)]
        patches = rows.tokens.tokens_per_frame
        anchors = [frame for frame, count in enumerate(context) if count]
        chosen = []
        for frame in stoppable(anchors):
            places = others[frame].nonzero().flatten()
            own = centers(features[frame, places], context[frame], self.neighbors)
            chosen.append(frame * patches + places[own])
        first = torch.tensor([0, *(len(own) for own in chosen)]).cumsum(0).to(others.device)
        center = torch.cat(chosen)
        row, source = _nearest(features, others, center, anchors, first)
        count = torch.bincount(row, minlength=len(center)).double()
        share = (1 / (1 + count)).clamp_min(self.beta)
        every = torch.arange(len(center), device=center.device)
        rows.add(
            torch.cat([every, row]),
            start * patches + torch.cat([center, source]),
            torch.cat([share, ((1 - share) / count.clamp_min(1))[row]]),
            count=len(center),
        )


def _divided(
    sizes: Sequence[int], budgets: Sequence[int], share: float, step: Count
) -> tuple[list[int], list[int]]:
    """Returns the salient tokens and the centres of each frame of a segment.

    Args:
        sizes: live tokens of each frame.
        budgets: tokens that each frame may keep, at most its size.
        share: part of the budget for centres.
        step: frames from one anchor to the next.
    """
    wanted = [int(budget * share) for budget in budgets]
    salient = [budget - own for budget, own in zip(budgets, wanted, strict=True)]
    anchors = range(len(sizes) - 1, -1, -step)[::-1]
    centers_of = dict(zip(anchors, shares([1] * len(anchors), sum(wanted)), strict=True))
    context = [
        min(centers_of.get(frame, 0), size - own)
        for frame, (size, own) in enumerate(zip(sizes, salient, strict=True))
    ]
    free = [size - a - b for size, a, b in zip(sizes, salient, context, strict=True)]
    more = shares(free, sum(wanted) - sum(context))
    return [own + extra for own, extra in zip(salient, more, strict=True)], context


def _nearest(
    features: Tensor, others: Tensor, center: Tensor, anchors: Sequence[int], first: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the centre that every anchor gives each other token, and the token, both `(E,)`.

    Args:
        features: of the segment, `(F, N, D)`.
        others: tokens that are taken in, bool `(F, N)`.
        center: centres as places in the segment, those of one anchor together.
        anchors: frames that have centres.
        first: number of the first centre of each anchor, and of all centres, `(A + 1,)`.
    """
    vectors = features.flatten(0, 1)[center].double()
    sizes = first.diff()
    column = torch.arange(int(sizes.max()), device=first.device)
    columns = torch.where(column < sizes[:, None], first[:-1, None] + column, len(center))
    own_frame = torch.tensor(anchors, device=first.device)
    is_center = torch.zeros_like(others).flatten().index_fill_(0, center, True).view_as(others)
    rows, sources = [], []
    for frame, (vector, mask) in enumerate(stoppable(zip(features, others, strict=True))):
        places = mask.nonzero().flatten()
        alike = torch.nn.functional.pad(cosines(vector[places], vectors), (0, 1), value=_ops.NEVER)
        best = first[:-1] + alike[:, columns].argmax(2)
        taken = ~(is_center[frame, places, None] & (own_frame == frame))
        rows.append(best[taken])
        sources.append((frame * features.shape[1] + places[:, None]).expand_as(best)[taken])
    return torch.cat(rows), torch.cat(sources)
