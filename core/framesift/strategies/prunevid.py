"""Merges still places over segments of like frames, then clusters of like tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._rows import PlanRows, averaged
from framesift.strategies._static import FrameRun, groups, stillest
from framesift.strategies.base import Strategy
from framesift.strategies.dpc_knn import cluster
from framesift.strategies.shares import floors
from framesift.types.options import Amount, Count, Share, Similarity
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class PruneVid(Strategy):
    """Merges what stands still in segments of like frames, then like tokens within them.

    Clusters of frames (DPC-KNN on the frames' means) become segments: each cluster's longest runs
    of frames stay, other frames join the longer of the segments beside them, and what lies beside
    its like is one segment. A place whose frames in a segment are alike on average becomes one
    token, their mean. Still tokens of a segment and moving tokens of a frame are then clustered,
    and each cluster becomes its mean. Their number is one share of the tokens, rounded down; the
    published share is a half, the budget solves for another. Where segments alone would undercut
    the budget, the least alike places are not merged over time.

    Differences from the published method, of which this is the stage before the LLM:

    - The stage inside the LLM, which prunes by the question's attention, is not part of it.
    - The number of tokens is the budget: where no share gives it, some of the groups that would
      be next get one token more.
    - Groups of at most `whole` tokens stay whole only where the rest of the budget has a token for
      each other group.
    - A segment of one frame has no pair to compare. There it divides by zero and comes out as
      moving; here that is explicit.
    - Clustering is without noise (`dpc_knn`): a static video gives the same centres on each run.
    """

    summary: ClassVar[str] = "segments merge what stands still, clusters merge what is alike"
    paper: ClassVar[str] = "https://arxiv.org/abs/2412.16117"
    cost: ClassVar[str] = "O(T^2 D + T N^2 D)"

    segments: Share = 0.25
    """Number of frame clusters, as a share of the frames; at least one."""
    threshold: Similarity = 0.8
    """Mean cosine similarity of a place's frames above which it stands still."""
    frame_neighbors: Count = 7
    """Nearest frames, itself among them, by which a frame's density is measured."""
    neighbors: Count = 7
    """Nearest tokens, itself among them, by which a token's density is measured."""
    whole: Amount = 14
    """Most tokens of a group that is not clustered."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of the clusters' means."""
        spans = self._spans(tokens)
        alike = torch.stack([_mean_pair(tokens, start, stop) for start, stop in spans]).cpu()
        still = stillest(
            alike,
            torch.tensor([stop - start for start, stop in spans]),
            threshold=self.threshold,
            allowed=tokens.live_count - budget,
        )
        all_groups = groups(
            [
                FrameRun(start=start, stop=stop, still=mask)
                for (start, stop), mask in zip(spans, still, strict=True)
            ],
            tokens.live.cpu(),
        )
        rows = PlanRows(tokens)
        counts = _counts([len(group.places) for group in all_groups], budget, self.whole)
        for group, count in stoppable(zip(all_groups, counts, strict=True)):
            if count:
                label = cluster(group.points(tokens), count, self.neighbors).label
                every = torch.arange(len(label), device=label.device)
                group.add_to(rows, label, every, averaged(label), count=count)
        return rows.plan()

    def _spans(self, tokens: VideoTokens) -> list[tuple[int, int]]:
        """Returns the first frame of each segment and the one after its last."""
        means = _ops.frame_means(tokens)
        count = max(1, int(len(means) * self.segments))
        return _refined(cluster(means, count, self.frame_neighbors).label.tolist())


def _refined(labels: Sequence[int]) -> list[tuple[int, int]]:
    """Returns the segments that remain when every label keeps its longest runs only.

    Runs of one frame never stay. Frames between two runs that stay go to the longer one, where the
    left one counts with all that it has taken in, and wins ties: `aaabcccc` becomes `aaa|bcccc`,
    `aabaacddd` becomes `aabaac|ddd`.
    """
    runs, start = [], 0
    for label, members in groupby(labels):
        length = len(list(members))
        runs.append((label, start, length))
        start += length
    longest: dict[int, int] = {}
    for label, _, length in runs:
        longest[label] = max(length, longest.get(label, 2))
    kept = [run for run in runs if run[2] == longest[run[0]]]
    if not kept:
        return [(0, len(labels))]
    spans, end = [0], kept[0][1] + kept[0][2]
    for (label, _, _), (after, start, length) in pairwise(kept):
        if after != label:
            spans.append(start if end - spans[-1] >= length else end)
        end = start + length
    return list(zip(spans, [*spans[1:], len(labels)], strict=True))


def _mean_pair(tokens: VideoTokens, start: int, stop: int) -> Tensor:
    """Returns the mean cosine of each place's pairs of frames `(N,)`, `NEVER` without any.

    The pairs are not formed: the squared length of a sum of unit vectors holds them all.
    """
    total = torch.zeros_like(tokens.features[0], dtype=torch.float64)
    empty = torch.zeros_like(total[:, 0])
    for frame in stoppable(tokens.features[start:stop]):
        length = torch.linalg.vector_norm(frame.double(), dim=1)
        total += frame / length.clamp_min(1e-30)[:, None]
        empty += length == 0
    count = stop - start
    pairs = total.square().sum(1) - (count - empty) + empty * (empty - 1)
    mean = _ops.rounded(_ops.divided(pairs, max(1, count * (count - 1))))
    return mean.masked_fill(~tokens.live[start:stop].all(0) | (count < 2), _ops.NEVER)


def _counts(sizes: Sequence[int], budget: int, whole: int) -> list[int]:
    """Returns the clusters of each group: small ones whole where the budget has room."""
    small = [size if size <= whole else 0 for size in sizes]
    large = [size - own for size, own in zip(sizes, small, strict=True)]
    if sum(small) + sum(size > 0 for size in large) > budget:
        small, large = [0] * len(sizes), list(sizes)
    rest = floors(large, budget - sum(small))
    return [own + share for own, share in zip(small, rest, strict=True)]
