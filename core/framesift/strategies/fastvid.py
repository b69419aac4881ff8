"""Keeps salient tokens of every frame and merges the rest of a segment into its anchor frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch

from framesift.strategies import _ops
from framesift.strategies._blocks import frame_means
from framesift.strategies._condensing import Anchors
from framesift.strategies._importance import ImportanceStrategy
from framesift.strategies._point_sets import PointSets
from framesift.strategies._rows import PlanRows
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
        live, rows = tokens.live, PlanRows(tokens)
        sizes = live.sum(1).tolist()
        budgets, edges = shares(sizes, budget), [0, *self._cuts(tokens), tokens.frame_count]
        salient, context = list[int](), list[int]()
        for start, stop in pairwise(edges):
            own = _divided(sizes[start:stop], budgets[start:stop], self.context, self.step)
            salient += own[0]
            context += own[1]
        most = torch.tensor(salient, device=live.device)[:, None]
        kept = _ops.ranks_in_frames(-self.measure(tokens), live) < most
        rows.keep(kept.flatten().nonzero().flatten())
        if any(context):
            left = [size - own for size, own in zip(sizes, salient, strict=True)]
            others = PointSets.of_frames(live & ~kept, left, tokens)
            anchors = Anchors(
                features=tokens.features,
                others=others.places,
                is_center=others.centers(context, neighbors=self.neighbors),
                counts=context,
            )
            self._add_centers(rows, anchors, list(pairwise(edges)))
        return rows.plan()

    def _add_centers(
        self, rows: PlanRows, anchors: Anchors, segments: Sequence[tuple[int, int]]
    ) -> None:
        """Adds the centres of all anchors, each blended with what it takes in of its segment."""
        center, count = anchors.is_center.flatten().nonzero().flatten(), sum(anchors.counts)
        row, source = anchors.taken(segments)
        taken = torch.zeros(count, dtype=torch.int64, device=row.device)
        taken = taken.scatter_add_(0, row, torch.ones_like(row)).float()
        share = (1 + taken).reciprocal().clamp_min(self.beta)
        rows.add(
            torch.cat([torch.arange(count, device=row.device), row]),
            torch.cat([center, source]),
            torch.cat([share, ((1 - share) / taken.clamp_min(1))[row]]),
            count=count,
        )

    def _cuts(self, tokens: VideoTokens) -> list[int]:
        """Returns the frames at which a segment begins, without the first."""
        if tokens.frame_count == 1:
            return []
        means = frame_means(tokens)
        alike = _ops.similarity(means[:-1], means[1:])
        cut = (alike < self.threshold).index_fill(
            0, torch.argsort(alike, stable=True)[: self.segments - 1], True
        )
        places: list[int] = cut.nonzero().flatten().add(1).tolist()
        return places


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
