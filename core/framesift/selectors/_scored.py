"""What rules share that pick frames by their scores: the scorer, the order and the reasons."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, NamedTuple

from torch import Tensor

from framesift.scorers import registry as scorers
from framesift.scorers.base import Scorer
from framesift.scorers.candidates import Candidates
from framesift.selectors.base import Selection, Selector
from framesift.types.options import SpecOf


class Pick(NamedTuple):
    """One frame that a rule picks."""

    place: int
    """Among the candidates."""
    reason: str
    """Why the rule took it, such as `"2nd best of all"`."""


@dataclass(frozen=True, kw_only=True)
class WithScorer(Selector):
    """A selector that holds a scorer: a spec string, in brackets where it has several options."""

    scorer: Annotated[str | Scorer, SpecOf("framesift.scorers")] = "novelty"
    """What each frame is worth: a scorer's name, or its spec string in brackets."""

    def __post_init__(self) -> None:
        _ = self.rater

    @cached_property
    def rater(self) -> Scorer:
        """The scorer."""
        return scorers.create(self.scorer)

    @property
    def reads_question(self) -> bool:
        """Whether the scorer does."""
        return self.rater.reads_question

    def check_question(self, question: str | None) -> None:
        """Makes sure that there is a question where the scorer reads one."""
        self.rater.check_question(question)


@dataclass(frozen=True, kw_only=True)
class Scored(WithScorer):
    """A rule over the scores of all candidates: `"nms:scorer=[clip:model=FOLDER]"`.

    A subclass writes `pick`.
    """

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns the frames that the rule picks, each with its score."""
        scores = self.rater.score(candidates, question)
        picks = self.pick(scores.values.double(), candidates.pts_seconds, count, candidates)
        return as_selection(picks, scores.values.tolist(), scores.reasons)

    @abstractmethod
    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns exactly `count` frames of more than `count`, in the order of choice.

        Args:
            values: scores, float64 `(T,)` on the CPU, finite.
            pts_seconds: times, float64 `(T,)`.
            count: number of frames.
            candidates: the frames, for a rule that looks at them too.
        """


def as_selection(picks: list[Pick], curve: list[float], reasons: tuple[str, ...]) -> Selection:
    """Returns picks in order of time, with the reasons of rule and scorer.

    Args:
        picks: in the order of choice.
        curve: score of every candidate.
        reasons: the scorer's line about every candidate.
    """
    ranked = sorted((pick.place, rank, pick.reason) for rank, pick in enumerate(picks))
    return Selection(
        indices=tuple(place for place, _, _ in ranked),
        scores=tuple(curve[place] for place, _, _ in ranked),
        reasons=tuple(f"{reason}; {reasons[place]}" for place, _, reason in ranked),
        ranks=tuple(rank for _, rank, _ in ranked),
        curve=tuple(curve),
    )
