"""Merges still places over the best segments of a video, then prunes what moves by attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch

from framesift.strategies import _ops
from framesift.strategies._importance import ImportanceStrategy
from framesift.strategies._point_sets import PointSets
from framesift.strategies._rows import PlanRows, blended
from framesift.strategies._segmentation import best_segments
from framesift.strategies._static import to_next
from framesift.strategies.shares import shares
from framesift.types.options import Count, Share, Similarity
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class HoliTom(ImportanceStrategy):
    """Divides a video so that merging still places over time saves most, and spends what is left.

    Dynamic programming finds the segments in which most tokens repeat the frame before at their
    place. A place that stands still becomes one token of its segment, the mean over its frames;
    still tokens are then clustered within the segment (DPC-KNN), each centre a blend with the mean
    of its cluster. Tokens that move are kept frame by frame: by attention, and a share of them as
    centres of clusters of the rest. Each segment's still tokens and each frame's moving ones get
    the same share of the budget. Where segments alone would undercut the budget, the places
    that change most are not merged over time.

    Differences from the published code (https://github.com/cokeshao/HoliTom):

    - Its counts are rounded up per frame and exceed the budget (480 tokens for 470). Here they
      are exact.
    - `contextual` above 0 raises an error there. Here those tokens are merged as still ones are.
    - Its clustering adds noise, so a static video gives other centres on each run (`dpc_knn`).
    - Its merging inside the LLM is not part of this strategy, which ends before the LLM.
    """

    summary: ClassVar[str] = "best segments merge what stands still, attention picks the rest"
    paper: ClassVar[str] = "https://arxiv.org/abs/2505.21334"
    cost: ClassVar[str] = "O(T^2 + T N^2 D)"

    threshold: Similarity = 0.8
    """Cosine similarity above which a place stands still; published as 0.65 for a tenth
    of the tokens, else 0.8."""
    beta: Share = 0.6
    """Weight of a centre against the mean of its cluster."""
    contextual: Share = 0.0
    """Share of the moving tokens' budget that is merged instead of picked by attention, `D` in the
    code."""
    neighbors: Count = 7
    """Nearest points, itself among them, by which clustering measures a token's density."""
    window: Count = 1024
    """Most frames in a segment."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of merged still tokens and of picked moving ones."""
        attention = self.measure(tokens)
        segments = best_segments(
            to_next(tokens),
            threshold=self.threshold,
            window=self.window,
            allowed=tokens.live_count - budget,
        )
        sets, rows = PointSets.of_segments(segments, tokens), PlanRows(tokens)
        counts = shares(sets.sizes, budget)
        merged = [
            count if length > 1 else int(self.contextual * count + 0.5)
            for count, length in zip(counts, sets.lengths, strict=True)
        ]
        picks = [count - own for count, own in zip(counts, merged, strict=True)]
        frames, most = torch.tensor([sets.starts, picks], device=attention.device)[..., None]
        picked = _ops.ranks_in_frames(-attention[frames[:, 0]], sets.places) < most
        own, place = picked.nonzero().unbind(1)
        rows.keep(frames[own, 0] * tokens.tokens_per_frame + place)
        rest = replace(
            sets,
            places=sets.places & ~picked,
            sizes=[size - own for size, own in zip(sets.sizes, picks, strict=True)],
        )
        blend = partial(blended, share=self.beta)
        rest.reduce_to(rows, merged, neighbors=self.neighbors, weigh=blend)
        return rows.plan()
