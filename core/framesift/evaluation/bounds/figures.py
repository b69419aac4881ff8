"""Right answers of each way under each bound, the tokens they took, and what they differ by.

A way may have several runs, such as seeds of a training: answers named `trained#1`, `trained#2`
and so on are runs of `trained`. Its share is the mean over them, paired by question; how far the
runs lie apart stands beside it. Every interval is the middle 95 % of a bootstrap over videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, Final

from framesift.evaluation.answers.answering import UNSEEN
from framesift.evaluation.answers.bootstrap import Interval, ratio_interval, sums_by_video
from framesift.evaluation.answers.log import BLIND, ONE_FRAME, WHOLE, Answered
from framesift.evaluation.answers.question_sets import span
from framesift.evaluation.answers.statistics import (
    DECIMALS,
    OVERALL,
    Place,
    by_place,
    by_run,
    rounded,
)
from framesift.evaluation.bounds.ways import FRAMES
from framesift.types.budget import Budget

LEVELS: Final = (WHOLE, ONE_FRAME, BLIND, UNSEEN)
"""Ways without a bound."""
MOVING: Final = "motion, change, order"
"""The group of questions about what several frames show one after another."""
OF_MOVING: Final = frozenset({"direction", "action", "change", "order"})


@dataclass(frozen=True)
class Answers:
    """All answers of a way under a bound."""

    way: str
    bound: float | None
    """As `Answered.keep`; None of a way without a bound."""
    runs: tuple[dict[Place, Answered], ...]
    """The answers of each run, by video and question."""

    @cached_property
    def places(self) -> list[Place]:
        """Questions that all runs answered."""
        return [place for place in self.runs[0] if all(place in run for run in self.runs)]

    @cached_property
    def answered(self) -> frozenset[Place]:
        """The same questions, to look one up."""
        return frozenset(self.places)

    def right(self, place: Place) -> float:
        """Returns the share of the runs that are right."""
        return sum(run[place].right for run in self.runs) / len(self.runs)

    def of_group(self, group: str) -> list[Place]:
        """Returns the questions of a group that all runs answered."""
        return [place for place in self.places if group in groups(self.runs[0][place].kind)]


def groups(kind: str) -> tuple[str, ...]:
    """Returns the groups that questions of a kind are in, the widest first."""
    moving = (MOVING,) if kind in OF_MOVING else ()
    return (OVERALL, span(kind), *moving, kind)


def collected(answers: Iterable[Answered]) -> list[Answers]:
    """Returns the answers of each way under each bound, in the order of their first answer.

    Raises:
        InvalidOptionError: a run answers a question twice.
    """
    found: dict[tuple[str, float | None], list[dict[Place, Answered]]] = {}
    for (name, keep), own in by_run(answers).items():
        bound = None if name in LEVELS else keep
        found.setdefault((own[0].method, bound), []).append(by_place(own))
    return [Answers(way, bound, tuple(runs)) for (way, bound), runs in found.items()]


def known_groups(answers: Iterable[Answered]) -> list[str]:
    """Returns the groups of all questions: 'overall', then the wide ones, then each kind."""
    kinds = dict.fromkeys(answer.kind for answer in answers)
    wide = [group for kind in kinds for group in groups(kind)[:-1]]
    return list(dict.fromkeys([*wide, *sorted(kinds)]))


def rows(found: Sequence[Answers], names: Sequence[str]) -> list[dict[str, Any]]:
    """Returns share, tokens and compression of each way under each bound, in each group."""
    return [
        _named(own, group) | _share(own, places) | _tokens(own, places)
        for own in found
        for group in names
        if (places := own.of_group(group))
    ]


def gains(
    found: Sequence[Answers], names: Sequence[str], references: Sequence[str]
) -> list[dict[str, Any]]:
    """Returns how much more often each way is right than each reference under the same bound.

    Both are compared on the questions that both answered.
    """
    return [
        _named(one, group) | {"against": other.way} | _gain(one, other, places)
        for one in found
        for other in found
        if one.bound is not None and other.bound == one.bound
        if other.way in references and one.way not in (other.way, FRAMES)
        for group in names
        if (places := [place for place in one.of_group(group) if place in other.answered])
    ]


def _named(own: Answers, group: str) -> dict[str, Any]:
    return {"way": own.way, "bound": own.bound, "group": group}


def _share(own: Answers, places: Sequence[Place]) -> dict[str, Any]:
    def of_run(run: dict[Place, Answered]) -> float:
        return _mean([run[place].right for place in places])

    return {
        "share": round(_mean([own.right(place) for place in places]), DECIMALS),
        "interval": rounded(_interval(places, own.right)),
        **_spread([of_run(run) for run in own.runs]),
        "answers": len(places),
        "videos": len({video for video, _ in places}),
    }


def _tokens(own: Answers, places: Sequence[Place]) -> dict[str, Any]:
    answers = [run[place] for run in own.runs for place in places]
    taken = [answer.tokens for answer in answers]
    whole = [answer.prompt_tokens for answer in answers if answer.prompt_tokens is not None]
    seconds = [a.first_token_seconds for a in answers if a.first_token_seconds is not None]
    before = [answer.tokens_before for answer in answers]
    facts: dict[str, Any] = {
        "tokens": round(_mean(taken), 1),
        "most_tokens": max(taken),
        "compression": round(sum(before) / sum(taken), 3) if any(taken) else None,
        "prompt_tokens": round(_mean(whole), 1) if whole else None,
        "first_token_seconds": round(median(seconds), DECIMALS) if seconds else None,
    }
    if own.bound is not None:
        allowed = [allowed_tokens(own.bound, answer.tokens_before) for answer in answers]
        facts["allowed_tokens"] = round(_mean(allowed), 1)
        bound_videos = {
            a.video for a, n in zip(answers, allowed, strict=True) if n < a.tokens_before
        }
        facts["bound_videos"] = len(bound_videos)
    return facts


def allowed_tokens(bound: float, tokens: int) -> int:
    """Returns the most visual tokens of a video of so many that a bound allows."""
    budget = Budget(max_tokens=int(bound)) if bound > 1 else Budget(keep=bound)
    return budget.tokens(tokens)


def _gain(one: Answers, other: Answers, places: Sequence[Place]) -> dict[str, Any]:
    def more(place: Place) -> float:
        return one.right(place) - other.right(place)

    def of_run(run: dict[Place, Answered]) -> float:
        return _mean([run[place].right - other.right(place) for place in places])

    return {
        "gain": round(_mean([more(place) for place in places]), DECIMALS),
        "interval": rounded(_interval(places, more)),
        **_spread([of_run(run) for run in one.runs]),
        "pairs": len(places),
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Returns the figure of each run, and how far the highest lies above the lowest."""
    apart = max(values) - min(values) if len(values) > 1 else None
    return {
        "runs": [round(value, DECIMALS) for value in values],
        "spread": None if apart is None else round(apart, DECIMALS),
    }


def _interval(places: Sequence[Place], value: Callable[[Place], float]) -> Interval | None:
    columns = [(value(place), 1.0) for place in places]
    return ratio_interval(sums_by_video([video for video, _ in places], columns))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
