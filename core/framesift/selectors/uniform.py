"""Picks evenly spaced frames: the baseline of every comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from framesift.scorers.candidates import Candidates
from framesift.selectors.base import Selection, Selector


@dataclass(frozen=True, kw_only=True)
class Uniform(Selector):
    """Picks the frames at the middles of `count` equal parts of the video."""

    summary: ClassVar[str] = "evenly spaced frames"

    ends: bool = False
    """Whether to include the first and the last frame instead of part middles."""

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns `count` evenly spaced frames."""
        total = len(candidates)
        number = torch.arange(count)
        if self.ends and count > 1:
            indices = (number * (total - 1) * 2 + count - 1) // (2 * (count - 1))
        else:
            indices = (2 * number + 1) * total // (2 * count)
        return Selection(
            indices=tuple(indices.tolist()),
            scores=(1.0 / count,) * count,
            reasons=tuple(f"evenly spaced, {place} of {count}" for place in range(1, count + 1)),
        )
