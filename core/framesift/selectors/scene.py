"""Picks one frame from each of the scenes between the strongest cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors import _difference
from framesift.selectors._blank import REASON, content_and_blank, seen
from framesift.selectors.base import Selection, Selector
from framesift.types.clock import span


@dataclass(frozen=True, kw_only=True)
class Scene(Selector):
    """Cuts the video at its `count - 1` strongest changes and picks the middle frame of each scene.

    A cut is where most of the picture differs from the sampled frame before. The rule suits edited
    footage; where content comes back or changes little by little, `keyframes` covers more of it.
    Blank frames belong to no scene, and are taken when no other is left.
    """

    summary: ClassVar[str] = "the middle frame of each scene between the strongest cuts"

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns the middle frames of the `count` scenes."""
        tokens, pts_seconds = seen(candidates), candidates.pts_seconds
        content, blank = content_and_blank(tokens)
        change = _difference.changed_since_previous(tokens.features, content).cpu()
        scenes = _scenes(change, pts_seconds[content], min(count, len(content)))
        picked = [(int(content[place]), score, reason) for place, score, reason in scenes]
        left = count - len(content)
        if left > 0:
            evenly = (2 * torch.arange(left) + 1) * len(blank) // (2 * left)
            picked += [(index, 0.0, REASON) for index in blank[evenly].tolist()]
        indices, scores, reasons = zip(*sorted(picked), strict=True)
        return Selection(indices=indices, scores=scores, reasons=reasons)


def _scenes(change: Tensor, pts_seconds: Tensor, count: int) -> Iterator[tuple[int, float, str]]:
    """Yields place, score and reason of the middle frame of each of `count` scenes."""
    if not count:
        return
    strongest = torch.argsort(change[1:], descending=True, stable=True)[: count - 1] + 1
    for first, last in pairwise([0, *sorted(strongest.tolist()), len(change)]):
        reason = _reason(pts_seconds, change, first, last)
        yield (first + last) // 2, float(change[first]), reason


def _reason(pts_seconds: Tensor, change: Tensor, first: int, last: int) -> str:
    stretch = span(float(pts_seconds[first]), float(pts_seconds[last - 1]))
    if first == 0:
        return f"middle of the first scene, {stretch}"
    return f"middle of the scene {stretch}, where {float(change[first]):.0%} of the picture changed"
