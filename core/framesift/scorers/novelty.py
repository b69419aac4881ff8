"""Scores frames by how much of the picture is new, without weights and without a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from framesift.run import stoppable
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.options import Count

FRAMES_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Novelty(Scorer):
    """Rates a frame by the share of its patches that none of the `memory` frames before showed.

    A patch is new as far as its cosine similarity to the most similar patch at its place in those
    frames is below 1, so that what comes and goes counts when it comes. The first frame, with
    nothing before it, is compared with the frames behind it.
    """

    summary: ClassVar[str] = "how much of the picture was not there before, no weights"
    reads_question: ClassVar[bool] = False
    compares_all: ClassVar[bool] = True

    memory: Count = 4
    """Frames before each one that it is compared with."""

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns mean novelty in [0, 1] of each frame's patches."""
        features = candidates.tokens("handcrafted").features
        values = _novelty(features, min(self.memory, max(1, len(features) - 1)))
        reasons = tuple(f"{value:.0%} of the picture is new" for value in values.tolist())
        return Scores(values=values, reasons=reasons)


def _novelty(features: Tensor, memory: int) -> Tensor:
    """Returns mean of 1 - best cosine to the patch's place in up to `memory` frames before."""
    count, parts = len(features), []
    if count == 1:
        return torch.ones(1)
    for start in stoppable(range(0, count, FRAMES_AT_ONCE), "select"):
        first = max(0, start - memory)
        near = normalize(features[first : start + FRAMES_AT_ONCE].float(), dim=-1)
        now = near[start - first :]
        best = torch.full(now.shape[:2], -1.0, device=now.device)
        for step in range(1, memory + 1):
            there = torch.arange(start, start + len(now)) - step - first
            known = (there >= 0).to(now.device)
            alike = (now * near[there.clamp_min(0)]).sum(-1)
            best = torch.where(known[:, None], best.maximum(alike), best)
        parts.append((1 - best).clamp(0, 1).mean(1).cpu())
    values = torch.cat(parts)
    # Nothing is before the first frame; what it shows is as new as what departs from it.
    behind = normalize(features[: memory + 1].float(), dim=-1)
    values[0] = float((1 - (behind[:1] * behind[1:]).sum(-1).amax(0)).clamp(0, 1).mean())
    return values.mul(1e6).round().div(1e6)
