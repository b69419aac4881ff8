"""Scores frames by how near their patches lie to the words of the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.options import Count, Reaches
from framesift.vlms.base import VLM
from framesift.vlms.load import load_vlm


@dataclass(frozen=True, kw_only=True)
class Similarity(Scorer):
    """The mean similarity of a frame's nearest patches and the question, where an LLM reads both.

    Similarities are measured from the mean of all frames, which they therefore depend on. It needs
    no training and one look of the tower at each frame. What it is worth depends on how
    near a vision LLM's projector puts things to their names.
    """

    summary: ClassVar[str] = "similarity of patches and the question in a vision LLM's own space"
    compares_all: ClassVar[bool] = True

    vlm: Annotated[str, Reaches(shipped=("tiny",))] = "tiny"
    """Vision LLM whose tower, projector and words are compared: a name, a hub id or a folder."""
    patches: Count = 4
    """Nearest patches of a frame that count."""

    @cached_property
    def model(self) -> VLM:
        """The vision LLM."""
        return load_vlm(self.vlm)

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns mean cosines in [-1, 1]."""
        tower = self.model.encoder
        near = tower.asked(candidates.tokens(tower), question).signals
        assert near.question_similarity is not None
        candidates.cost.calls += len(places)
        values = near.question_similarity.float().cpu()
        values = values.topk(min(self.patches, values.shape[1]), dim=1).values.mean(1)
        reasons = tuple(f"similarity {value:.2f} to the question" for value in values.tolist())
        return Scores(values=values, reasons=reasons)
