"""Merges still places over segments of like frames, then clusters of like tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._blocks import blocks, frame_means, sum_runs
from framesift.strategies._point_sets import PointSets
from framesift.strategies._rows import PlanRows, averaged
from framesift.strategies._static import StillSegments, stillest
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
        lengths = [stop - start for start, stop in self._spans(tokens)]
        still = stillest(
            _mean_pairs(tokens, lengths),
            torch.tensor(lengths),
            threshold=self.threshold,
            allowed=tokens.live_count - budget,
        )
        segments, rows = StillSegments(lengths=lengths, still=still), PlanRows(tokens)
        sets = PointSets.of_segments(segments, tokens)
        counts = _counts(sets.sizes, budget, self.whole)
        sets.reduce_to(rows, counts, neighbors=self.neighbors, weigh=_mean)
        return rows.plan()

    def _spans(self, tokens: VideoTokens) -> list[tuple[int, int]]:
        """Returns the first frame of each segment and the one after its last."""
        means = frame_means(tokens)[None]
        live = torch.ones(means.shape[:2], dtype=torch.bool, device=means.device)
        count = torch.tensor([max(1, int(means.shape[1] * self.segments))], device=means.device)
        return _refined(cluster(means, live, count, self.frame_neighbors).label[0].tolist())


def _mean(row: Tensor, is_center: Tensor, count: int) -> Tensor:
    """Returns the weight of each point in its row's mean, whether it is a centre or not."""
    return averaged(row, count)


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


def _mean_pairs(tokens: VideoTokens, lengths: Sequence[int]) -> Tensor:
    """Returns the mean cosine of the pairs of frames of each place, `NEVER` without any.

    The pairs are not formed: the squared length of a sum of unit vectors holds them all. The
    result is `(S, N)` on the CPU.

    Args:
        tokens: of the video.
        lengths: frames of each segment.
    """
    spans, (_, patches, channels) = np.array(lengths), tokens.features.shape
    several = [length for length in lengths if length > 1]
    mean = torch.full((len(spans), patches), _ops.NEVER)
    if not several:
        return mean
    frames = torch.from_numpy(np.flatnonzero((spans > 1).repeat(spans))).to(tokens.features.device)
    squares, empty = [], []
    for own in blocks(patches, 4 * len(frames) * channels, device=frames.device, least=1):
        wide = tokens.features[:, own].index_select(0, frames).float()
        length = _ops.length(wide)
        total = sum_runs(wide.div_(length.clamp_min(1e-30)[..., None]), several)
        squares.append(_ops.length(total).square())
        empty.append(length == 0)
    marks = torch.stack([torch.cat(empty, dim=1), tokens.live[frames]], dim=1)
    none, live = sum_runs(marks.float(), several).unbind(1)
    count = torch.tensor(several, device=none.device)[:, None]
    pairs = torch.cat(squares, dim=1) - (count - none) + none * (none - 1)
    alike = _ops.rounded(pairs / (count * (count - 1))).masked_fill(live < count, _ops.NEVER)
    mean[torch.from_numpy(spans > 1)] = alike.cpu()
    return mean


def _counts(sizes: Sequence[int], budget: int, whole: int) -> list[int]:
    """Returns the clusters of each group: small ones whole where the budget has room."""
    small = [size if size <= whole else 0 for size in sizes]
    large = [size - own for size, own in zip(sizes, small, strict=True)]
    if sum(small) + sum(size > 0 for size in large) > budget:
        small, large = [0] * len(sizes), list(sizes)
    rest = floors(large, budget - sum(small))
    return [own + share for own, share in zip(small, rest, strict=True)]
