"""Keeps a seeded random choice of tokens: the row that every table of methods must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies.base import ScoreStrategy
from framesift.types.options import Seed
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class Random(ScoreStrategy):
    """Keeps tokens drawn at random: a `seed` draws the same ones on every machine and device."""

    summary: ClassVar[str] = "seeded random choice, the floor of every comparison"
    cost: ClassVar[str] = "O(T N log T N)"

    seed: Seed = 0
    """Seed of the choice; another one draws other tokens."""

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns a random number for each token, int64 in [0, 2^53), `(T, N)`."""
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.rand(tokens.features.shape[:2], generator=generator, dtype=torch.float64)
        return drawn.mul(2**53).long().to(tokens.features.device)
