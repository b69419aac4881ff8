"""Draws frames at random, the likelier the higher they score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._ranking import best_first, scaled
from framesift.selectors._scored import Pick, Scored
from framesift.types.options import Seed


@dataclass(frozen=True, kw_only=True)
class Gumbel(Scored):
    """Draws frames without replacement, with odds of `exp(score / temperature)`.

    This is the Gumbel-top-k choice of Q-Frame (ICCV 2025): Gumbel noise is added to the scaled
    scores and the highest sums are picked, the highest first. The noise depends on `seed` and the
    number of candidates alone.

    Differences from the published code: the noise has a seed, an error never turns into random
    frames, and scores count in standard deviations of the video's own, so that the temperature
    means the same for cosines of 0.2 to 0.3 as for logits; `raw` takes them as they are.
    """

    summary: ClassVar[str] = "seeded draws, likelier the higher a frame scores (Q-Frame)"

    temperature: Annotated[float, Field(gt=0, le=100)] = 0.8
    """How random the draws are: near 0 the highest scores are picked, far above 1 all frames are
    equally likely."""
    raw: bool = False
    """Whether scores count as they are instead of in standard deviations."""
    seed: Seed = 0
    """Seed of the draws; another one draws other frames."""

    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns `count` frames in the order in which they are drawn."""
        generator = torch.Generator().manual_seed(self.seed)
        uniform = torch.rand(len(values), generator=generator, dtype=torch.float64)
        noise = -(-uniform.clamp_min(torch.finfo(torch.float64).tiny).log()).log()
        scores = values.double() if self.raw else _standard(values)
        drawn = best_first(scores + self.temperature * noise)[:count]
        return [Pick(place, f"drawn {rank} of {count}") for rank, place in enumerate(drawn, 1)]


def _standard(values: Tensor) -> Tensor:
    """Returns values `(T,)` in standard deviations, and 0 where all are equal."""
    scores = scaled(values)
    finite = scores[scores.isfinite()]
    deviation = float(finite.std(correction=0)) if len(finite) else 0.0
    return scores / deviation if deviation else scores
