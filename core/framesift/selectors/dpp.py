"""Picks frames that are worth much and unlike each other, as a DPP weighs both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._alike import Kernel, Relevance, frame_vectors, quality
from framesift.selectors._scored import Pick, Scored
from framesift.strategies import determinantal
from framesift.types.options import EncoderSpec, Share


@dataclass(frozen=True, kw_only=True)
class Dpp(Scored):
    """Picks, one by one, the frame that adds most to a determinantal point process.

    What a frame adds is its score times the part of it that the picked ones do not show already.
    The greedy set is not always the most probable of its size; each of its choices is. Of frames
    that look the same and score the same, those far apart in time are picked.
    """

    summary: ClassVar[str] = "frames of high score that are unlike each other, a greedy DPP"

    encoder: EncoderSpec = "handcrafted"
    """What sees how alike frames are."""
    relevance: Relevance = 1.0
    """Weight of the score against being new: 0 leaves scores out."""
    spread: Share = 0.1
    """How far closeness in time counts as likeness: 0 for looks alone, 1 for time alone."""

    def pick(
        self, values: Tensor, pts_seconds: Tensor, count: int, candidates: Candidates | None = None
    ) -> list[Pick]:
        """Returns the frames in the order in which the process chooses them."""
        vectors = None
        if candidates is not None:
            vectors = frame_vectors(candidates.tokens(self.encoder))
        kernel = Kernel(vectors, pts_seconds, count, self.spread)
        weight = quality(values, self.relevance).square()[None]
        live = torch.ones_like(weight, dtype=torch.bool)
        made = determinantal.greedy(kernel.row, weight, live, count=count, stage="select")
        places, gains = made.places[0].tolist(), made.gains[0].tolist()
        return [
            Pick(place, _reason(rank, gain / float(weight[0, place])))
            for rank, (place, gain) in enumerate(zip(places, gains, strict=True))
        ]


def _reason(rank: int, new: float) -> str:
    return (
        "first choice" if not rank else f"choice {rank + 1}, {new:.0%} of it is not in those before"
    )
