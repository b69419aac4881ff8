"""Takes evenly spaced frames for questions about all of a video, selected ones for the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated, ClassVar, Final

from framesift.errors import InvalidOptionError
from framesift.scorers import registry as scorers
from framesift.scorers.base import Scorer
from framesift.scorers.candidates import Candidates
from framesift.selectors import registry
from framesift.selectors.base import Selection, Selector
from framesift.selectors.question_scope import scope_of
from framesift.types.clock import span
from framesift.types.options import Share, SpecOf, shown

TRAINED_ON: Final = "synthetic://"
"""Addresses of the only videos that the scorer which comes with framesift has learned from."""


@dataclass(frozen=True, kw_only=True)
class Auto(Selector):
    """Looks at the question first: `uniform` where it is about all of the video, else a scorer.

    A question is global by its words, such as "summarize" or "how many", or where all frames score
    alike. For the others a rule picks by score, and a share of the frames fills the largest gaps
    between its picks. Without a `scorer`, subtitles are searched where some match, the learned
    `mllm` rates synthetic videos, and `keyframes` picks in any other video, or without a question.
    """

    summary: ClassVar[str] = "uniform for global questions, else the best by score, with a floor"

    scorer: Annotated[str | Scorer | None, SpecOf("framesift.scorers")] = None
    """What each frame is worth for a local question: a scorer's spec; None for what suits the
    video."""
    rule: Annotated[str, SpecOf("framesift.selectors")] = "nms"
    """Selector that picks by those scores; any that has a `scorer`."""
    floor: Share = 0.25
    """Share of the frames that fill the largest gaps, whatever their scores."""
    flat: Share = 0.05
    """How far the best score must be from the median, as a share of both, to be worth a choice."""

    def __post_init__(self) -> None:
        _ = self._ruling("novelty" if self.scorer is None else self.scorer)

    @property
    def reads_question(self) -> bool:
        """Whether other frames are picked for another question: yes, but it also works without."""
        return True

    def check_question(self, question: object) -> None:
        """Makes sure that the question is text, or None.

        Raises:
            InvalidOptionError: it is something else.
        """
        if not isinstance(question, str | None):
            raise InvalidOptionError(f"question={shown(question)} must be text, or None")

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns the frames that suit the question."""
        if question is None or not question.strip():
            return self._by("keyframes", candidates, count, "there is no question")
        scope = scope_of(question)
        if scope.scope == "global":
            return self._by("uniform", candidates, count, scope.reason)
        reserved = min(int(self.floor * count), count - 1)
        for scorer in self._scorers(candidates):
            choice = self._ruling(scorer).select(candidates, count - reserved, question)
            if choice.curve is None or not self._is_flat(choice.curve):
                return _filled(choice, candidates, reserved)
            if scorer != "text" or self.scorer == "text":
                return self._by("uniform", candidates, count, "all frames score alike")
        why = "no scorer is named, and no subtitles match"
        return self._by("keyframes", candidates, count, why)

    def _scorers(self, candidates: Candidates) -> Iterator[str | Scorer]:
        """Yields what may rate these frames, the best first."""
        if self.scorer is not None:
            yield self.scorer
            return
        if any(line.text.strip() for line in candidates.texts):
            yield "text"
        if candidates.uri.lower().startswith(TRAINED_ON) and _has_weights("mllm"):
            yield "mllm"

    def _ruling(self, scorer: str | Scorer) -> Selector:
        return registry.create(self.rule, scorer=scorer)

    def _is_flat(self, curve: tuple[float, ...]) -> bool:
        best, middle = max(curve), median(curve)
        return best - middle <= self.flat * (abs(best) + abs(middle))

    @staticmethod
    def _by(name: str, candidates: Candidates, count: int, why: str) -> Selection:
        choice = registry.create(name).choose(candidates, count, None)
        return replace(choice, reasons=tuple(f"{reason}; {why}" for reason in choice.reasons))


def _has_weights(scorer: str) -> bool:
    return Path(scorers.schema(scorer)["properties"]["model"]["default"]).is_dir()


def _filled(choice: Selection, candidates: Candidates, count: int) -> Selection:
    """Returns a choice with `count` frames more, each in the middle of the largest gap left."""
    times, total = candidates.pts_seconds.tolist(), len(candidates)
    rows = list(zip(choice.indices, choice.scores, choice.reasons, strict=True))
    ranks = list(choice.ranks or range(len(rows)))
    for _ in range(count):
        taken = [-1, *sorted(place for place, _, _ in rows), total]
        gaps = [(before, after) for before, after in pairwise(taken) if after - before > 1]
        ends = [(times[max(0, a)], times[min(total - 1, b)]) for a, b in gaps]
        number = max(range(len(gaps)), key=lambda n: (ends[n][1] - ends[n][0], -n))
        (before, after), (start, end) = gaps[number], ends[number]
        place = min(range(before + 1, after), key=lambda p: (abs(times[p] - (start + end) / 2), p))
        score = 0.0 if choice.curve is None else choice.curve[place]
        rows.append((place, score, f"fills the largest gap, {span(start, end)}"))
        ranks.append(len(ranks))
    ordered = sorted(zip(rows, ranks, strict=True))
    return replace(
        choice,
        indices=tuple(place for (place, _, _), _ in ordered),
        scores=tuple(score for (_, score, _), _ in ordered),
        reasons=tuple(reason for (_, _, reason), _ in ordered),
        ranks=tuple(rank for _, rank in ordered),
    )
