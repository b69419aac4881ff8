"""Shares of right answers of each way, and differences between two ways, with intervals.

A way may have several runs, such as seeds of `random`: its share is the mean over them, question
by question. Every interval is the middle 95 % of a bootstrap over videos. It knows no more than the
videos it was given: where all answers are right it is a point, and of a handful of videos it is too
narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.bootstrap import Floats, Interval, ratio_interval, sums_by_video
from framesift.evaluation.answers.log import Answered

OVERALL: Final = "overall"
"""The group that every answer is in."""
DECIMALS: Final = 4
"""Of shares in rows."""

Way = tuple[str, float]
"""Strategy and keep."""
Place = tuple[str, str]
"""Video and question."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many of a way's answers are right, in one group of questions, and what they took."""

    strategy: str
    keep: float
    group: str
    share: float
    interval: Interval | None
    """95 %, over videos; None of a single video."""
    answers: int
    """Questions that were answered, each counted once however many runs answered it."""
    videos: int
    tokens: float
    """Mean number of visual tokens in the prompt."""
    tokens_share: float
    """Of the whole videos' tokens; 0 where these have none."""
    first_token_seconds: float | None
    """Median of the answers that were timed; None where none was."""
    empty: int
    """Answers without any words."""

    def as_row(self) -> dict[str, Any]:
        """Returns the figures as JSON has them, rounded."""
        seconds = self.first_token_seconds
        return {
            "strategy": self.strategy,
            "keep": self.keep,
            "group": self.group,
            "share": round(self.share, DECIMALS),
            "interval": rounded(self.interval),
            "answers": self.answers,
            "videos": self.videos,
            "tokens": round(self.tokens, 1),
            "tokens_share": round(self.tokens_share, DECIMALS),
            "first_token_seconds": None if seconds is None else round(seconds, DECIMALS),
            "empty": self.empty,
        }


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A figure of two ways over the questions that both answered."""

    value: float
    interval: Interval | None
    """95 %, over videos; None of a single video."""
    pairs: int
    videos: int
    unpaired: tuple[int, int]
    """Answers of the first and of the second way that the other has no partner to."""

    def excludes(self, value: float) -> bool:
        """Returns whether the interval leaves `value` out; without an interval it does not."""
        return self.interval is not None and not self.interval[0] <= value <= self.interval[1]

    def as_row(self) -> dict[str, Any]:
        """Returns the figures as JSON has them, rounded."""
        return {
            "value": round(self.value, DECIMALS),
            "interval": rounded(self.interval),
            "pairs": self.pairs,
            "videos": self.videos,
            "unpaired": list(self.unpaired),
        }


def rounded(interval: Interval | None) -> list[float] | None:
    """Returns an interval as JSON has it."""
    return None if interval is None else [round(bound, DECIMALS) for bound in interval]


def by_run(answers: Iterable[Answered]) -> dict[Way, list[Answered]]:
    """Returns the answers of each run of each way, in the order of their first answer.

    Raises:
        InvalidOptionError: a run answers a question twice.
    """
    runs: dict[Way, list[Answered]] = {}
    for answer in answers:
        runs.setdefault(answer.way, []).append(answer)
    for own in runs.values():
        by_place(own)
    return runs


def by_way(answers: Iterable[Answered]) -> dict[Way, list[Answered]]:
    """Returns the answers of each way, those of its runs one after another.

    Ways come in the order of their first answer.

    Raises:
        InvalidOptionError: a run answers a question twice.
    """
    ways: dict[Way, list[Answered]] = {}
    for (_, keep), own in by_run(answers).items():
        ways.setdefault((own[0].method, keep), []).extend(own)
    return ways


def by_place(answers: Iterable[Answered]) -> dict[Place, Answered]:
    """Returns the answers of one run by video and question.

    Raises:
        InvalidOptionError: a question is answered twice.
    """
    places: dict[Place, Answered] = {}
    for answer in answers:
        if places.setdefault(answer.place, answer) is not answer:
            raise InvalidOptionError(
                f"{answer.strategy!r} at keep {answer.keep:g} has two answers to "
                f"{answer.question!r} about {answer.video!r}; leave one of them"
            )
    return places


def right_shares(answers: Iterable[Answered]) -> dict[Place, float]:
    """Returns which share of the runs of one way is right, by video and question.

    Raises:
        InvalidOptionError: a run answers a question twice.
    """
    marks: dict[Place, list[bool]] = {}
    for run in by_run(answers).values():
        for answer in run:
            marks.setdefault(answer.place, []).append(answer.right)
    return {place: sum(own) / len(own) for place, own in marks.items()}


def shares(
    answers: Iterable[Answered],
    groups: Callable[[str], Sequence[str]] = lambda kind: (kind,),
) -> list[Share]:
    """Returns the share of right answers of each way, overall and in each group of questions.

    Ways come in the order of their first answer; of each, 'overall', then the first groups of all
    kinds of question, then the second ones.

    Args:
        answers: of any number of ways.
        groups: groups that questions of a kind belong to, such as ('single frame', 'color'); each
            kind is one by default.

    Raises:
        InvalidOptionError: a way answers a question twice.
    """
    ranks: dict[str, dict[str, int]] = {}
    rows = []
    for way, own in by_way(answers).items():
        members: dict[tuple[int, str], list[Answered]] = {}
        for answer in own:
            kind = answer.kind
            if kind not in ranks:
                ranks[kind] = {name: rank for rank, name in enumerate((OVERALL, *groups(kind)))}
            for group, rank in ranks[kind].items():
                members.setdefault((rank, group), []).append(answer)
        rows += [_share(way, key[1], members[key]) for key in sorted(members)]
    return rows


def _share(way: Way, group: str, answers: list[Answered]) -> Share:
    right = right_shares(answers)
    sums = sums_by_video([video for video, _ in right], [(mark, 1.0) for mark in right.values()])
    tokens = sum(answer.tokens for answer in answers)
    before = sum(answer.tokens_before for answer in answers)
    seconds = [a.first_token_seconds for a in answers if a.first_token_seconds is not None]
    return Share(
        strategy=way[0],
        keep=way[1],
        group=group,
        share=float(sums[:, 0].sum()) / len(right),
        interval=ratio_interval(sums),
        answers=len(right),
        videos=len(sums),
        tokens=tokens / len(answers),
        tokens_share=tokens / before if before else 0.0,
        first_token_seconds=float(np.median(seconds)) if seconds else None,
        empty=sum(not answer.said.strip() for answer in answers),
    )


def difference(one: Iterable[Answered], other: Iterable[Answered]) -> Paired:
    """Returns how much larger a share of the same questions `one` answers right than `other`.

    Args:
        one: answers of one way.
        other: answers of another way, or of the same way in another run.

    Raises:
        InvalidOptionError: no question is answered by both, or one is answered twice.
    """
    videos, right, unpaired = _pairs(one, other)
    gaps = np.stack([right[:, 0] - right[:, 1], np.ones(len(right))], axis=1)
    return _ratio(videos, gaps, unpaired)


def retained(way: Iterable[Answered], whole: Iterable[Answered]) -> Paired | None:
    """Returns the right answers of a way as a share of those from the whole video.

    None where the whole video gave no right answer, so that there is nothing to keep. The share
    is above 1 where the way does better.

    Args:
        way: answers of one way.
        whole: answers from all tokens.

    Raises:
        InvalidOptionError: no question is answered by both, or one is answered twice.
    """
    videos, right, unpaired = _pairs(way, whole)
    return _ratio(videos, right, unpaired) if right[:, 1].any() else None


def _pairs(
    one: Iterable[Answered], other: Iterable[Answered]
) -> tuple[list[str], Floats, tuple[int, int]]:
    """Returns the videos of the pairs, how right both answers are, and the unpaired ones."""
    first, second = right_shares(one), right_shares(other)
    places = [place for place in first if place in second]
    if not places:
        raise InvalidOptionError(
            f"{len(first)} answers and {len(second)} others share no question about the same "
            "video; pair answers to the same question set"
        )
    right = np.array([(first[place], second[place]) for place in places], np.float64)
    unpaired = len(first) - len(places), len(second) - len(places)
    return [video for video, _ in places], right, unpaired


def _ratio(videos: list[str], columns: Floats, unpaired: tuple[int, int]) -> Paired:
    """Returns the ratio of the sums of two columns `(pairs, 2)`."""
    sums = sums_by_video(videos, columns)
    over, under = sums.sum(axis=0)
    return Paired(
        value=float(over / under),
        interval=ratio_interval(sums),
        pairs=len(videos),
        videos=len(sums),
        unpaired=unpaired,
    )
