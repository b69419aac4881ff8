"""Scores frames by how varied the picture is, each for itself, without weights and question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import torch
from torch.nn.functional import normalize

from framesift.run import stoppable
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.options import EncoderSpec

FRAMES_AT_ONCE: Final = 64


@dataclass(frozen=True, kw_only=True)
class Variety(Scorer):
    """Rates a frame by how much its patches differ from one another: 0 for a blank one.

    It is the mean cosine distance of two patches of the frame, so that a page of text or a crowd is
    worth more than a wall. No frame is compared with another, so it rates a few of an hour, too.
    """

    summary: ClassVar[str] = "how varied the picture is, each frame for itself, no weights"
    reads_question: ClassVar[bool] = False

    encoder: EncoderSpec = "handcrafted"
    """What sees the patches."""

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns the mean distance of patches in each frame, in [0, 2]."""
        features, means = candidates.tokens(self.encoder, places=places).features, []
        for start in stoppable(range(0, len(features), FRAMES_AT_ONCE), "select"):
            units = normalize(features[start : start + FRAMES_AT_ONCE].float(), dim=-1)
            own, patches = units.square().sum((1, 2)), units.shape[1]
            if patches == 1:
                means.append(torch.zeros(len(units)))
                continue
            pairs = (units.sum(1).square().sum(1) - own) / (patches * (patches - 1))
            means.append((own / patches - pairs).cpu())
        values = torch.cat(means).clamp_min(0).mul(1e6).round().div(1e6)
        reasons = tuple(f"variety of the picture {value:.2f}" for value in values.tolist())
        return Scores(values=values, reasons=reasons)
