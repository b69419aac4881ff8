"""Picks one frame from each of the scenes between the strongest cuts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from framesift.selectors import _difference
from framesift.selectors.base import Selection, Selector
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class Scene(Selector):
    """Cuts the video at its `count - 1` strongest changes and picks the middle of each part.

    A cut is where most of the picture differs from the sampled frame before. The rule suits edited
    footage; where content comes back or changes little by little, `keyframes` covers more of it.
    """

    summary: ClassVar[str] = "the middle frame of each scene between the strongest cuts"
    encoder: ClassVar[str | None] = "handcrafted"

    def choose(
        self, pts_seconds: Tensor, tokens: VideoTokens | None, count: int, question: str | None
    ) -> Selection:
        """Returns the middle frames of the `count` scenes."""
        assert tokens is not None
        change = _difference.changed_since_previous(tokens.features).cpu()
        strongest = torch.argsort(change[1:], descending=True, stable=True)[: count - 1] + 1
        bounds = [0, *sorted(strongest.tolist()), len(change)]
        scenes = list(pairwise(bounds))
        return Selection(
            indices=tuple((first + last) // 2 for first, last in scenes),
            scores=tuple(float(change[first]) for first, _ in scenes),
            reasons=tuple(_reason(pts_seconds, change, *scene) for scene in scenes),
        )


def _reason(pts_seconds: Tensor, change: Tensor, first: int, last: int) -> str:
    span = f"{float(pts_seconds[first]):.1f}-{float(pts_seconds[last - 1]):.1f} s"
    if first == 0:
        return f"middle of the first scene, {span}"
    return f"middle of the scene {span}, where {float(change[first]):.0%} of the picture changed"
