"""Adds a strategy of your own: one class with a score; the budget is met for you.

Two lines in a test module hold it to the promises of all strategies:

    class TestNorm(framesift.testing.StrategyContract):
        spec = Norm
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

import framesift
from framesift.strategies.base import ScoreStrategy


@dataclass(frozen=True, kw_only=True)
class Norm(ScoreStrategy):
    """Keeps the tokens with the longest feature vectors."""

    summary: ClassVar[str] = "longest feature vectors"

    def score(self, tokens: framesift.VideoTokens, budget: int) -> torch.Tensor:
        """Returns the length of each feature vector, `(T, N)`."""
        return tokens.features.float().norm(dim=-1)


def main() -> None:
    """Runs the new strategy through the whole pipeline."""
    video = framesift.VideoCompressor(strategy=Norm(), keep=0.1).compress("synthetic://shapes")
    print(video.report.tokens_in, "->", video.report.tokens_out)


if __name__ == "__main__":
    main()
