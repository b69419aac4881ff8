"""Compares two logs of answers: what differs between the runs, and between their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.log import BLIND, ONE_FRAME, WHOLE, Answered, AnswerLog, AnswerRun
from framesift.evaluation.answers.statistics import (
    DECIMALS,
    Paired,
    Way,
    by_way,
    difference,
    right_shares,
)

CHANCE: Final = 0.05
"""Part of equal ways whose interval leaves zero out all the same."""


@dataclass(frozen=True, kw_only=True)
class RunChange:
    """A fact of the run that differs between two logs."""

    name: str
    """Such as 'commit' or 'settings.model'."""
    a: str | None
    b: str | None

    def as_row(self) -> dict[str, Any]:
        """Returns the change as JSON has it."""
        return {"what": "run", "name": self.name, "a": self.a, "b": self.b}


@dataclass(frozen=True, kw_only=True)
class ComparedWay:
    """A way's share of right answers in both logs, of the questions that both hold.

    Where there are no such questions, the shares are of all the way's answers in each log.
    """

    strategy: str
    keep: float
    a: float | None
    """None where log A does not have the way."""
    b: float | None
    difference: Paired | None
    """B less A; None without questions in common."""

    @property
    def is_marked(self) -> bool:
        """Whether the interval of the difference leaves zero out."""
        return self.difference is not None and self.difference.excludes(0.0)

    @property
    def name(self) -> str:
        """The way as it is shown."""
        fixed = self.strategy in (WHOLE, ONE_FRAME, BLIND)
        return self.strategy if fixed else f"{self.strategy} {self.keep:g}"

    def as_row(self) -> dict[str, Any]:
        """Returns the figures as JSON has them, rounded; unpaired answers are of A and of B."""
        figures = None
        if self.difference is not None:
            of_b, of_a = self.difference.unpaired
            figures = self.difference.as_row() | {"unpaired": [of_a, of_b]}
        return {
            "what": "way",
            "strategy": self.strategy,
            "keep": self.keep,
            "a": None if self.a is None else round(self.a, DECIMALS),
            "b": None if self.b is None else round(self.b, DECIMALS),
            "difference": figures,
            "is_marked": self.is_marked,
        }


def compare(a: AnswerLog, b: AnswerLog) -> list[RunChange | ComparedWay]:
    """Returns what differs in two runs: settings first, then ways in both, then those in one.

    Raises:
        InvalidOptionError: the logs share no way, or no question of any way that they share.
    """
    first, second = by_way(a.answers), by_way(b.answers)
    shared = [way for way in first if way in second]
    if not shared:
        raise InvalidOptionError(
            f"the logs share no way: A has {_listed(first)}, B has {_listed(second)}; compare runs "
            "that have a strategy and a keep in common"
        )
    ways = [_compared(way, first[way], second[way]) for way in shared]
    if not any(way.difference for way in ways):
        raise InvalidOptionError(
            f"the logs share no question: A asks {_first_question(a)}, B asks "
            f"{_first_question(b)}; compare runs of the same question set"
        )
    return [*_changes(a.run, b.run), *ways, *_only_in_one(first, second)]


def compare_lines(rows: Sequence[RunChange | ComparedWay]) -> list[str]:
    """Returns what a terminal shows of `compare`: percent, and differences in points."""
    changes = [row for row in rows if isinstance(row, RunChange)]
    ways = [row for row in rows if isinstance(row, ComparedWay)]
    width = max(map(len, [*(row.name for row in changes), *(way.name for way in ways)]), default=0)
    lines = [f"{row.name:<{width}}  {_or_none(row.a)} -> {_or_none(row.b)}" for row in changes]
    heads = f"{'way':<{width}}  {'A':>6} {'B':>6} {'B - A':>6}  {'95% interval':<15} {'pairs':>6}"
    lines += ["", heads] if changes else [heads]
    lines += [_line(way, width) for way in ways]
    if any(way.is_marked for way in ways):
        tried = sum(way.difference is not None for way in ways)
        lines += [
            "",
            f"* the interval leaves out 0; of {tried} without any difference about "
            f"{CHANCE * tried:.2g} would be marked by chance",
        ]
    return lines


def _compared(way: Way, first: Sequence[Answered], second: Sequence[Answered]) -> ComparedWay:
    places = right_shares(first).keys() & right_shares(second).keys()
    if not places:
        return ComparedWay(
            strategy=way[0], keep=way[1], a=_share(first), b=_share(second), difference=None
        )
    return ComparedWay(
        strategy=way[0],
        keep=way[1],
        a=_share([answer for answer in first if answer.place in places]),
        b=_share([answer for answer in second if answer.place in places]),
        difference=difference(second, first),
    )


def _only_in_one(
    first: dict[Way, list[Answered]], second: dict[Way, list[Answered]]
) -> Iterator[ComparedWay]:
    for way in [*first, *second]:
        if way not in second:
            a, b = _share(first[way]), None
        elif way not in first:
            a, b = None, _share(second[way])
        else:
            continue
        yield ComparedWay(strategy=way[0], keep=way[1], a=a, b=b, difference=None)


def _changes(a: AnswerRun, b: AnswerRun) -> Iterator[RunChange]:
    first, second = _facts(a), _facts(b)
    for name in first | second:
        if first.get(name) != second.get(name):
            yield RunChange(name=name, a=first.get(name), b=second.get(name))


def _facts(run: AnswerRun) -> dict[str, str]:
    return {
        **{f"settings.{name}": value for name, value in run.settings.items()},
        **{f"versions.{name}": value for name, value in run.versions.items()},
        "machine": run.machine,
        "commit": run.commit,
    }


def _line(way: ComparedWay, width: int) -> str:
    line = f"{way.name:<{width}}  {_percent(way.a)} {_percent(way.b)}"
    if way.a is None or way.b is None:
        return f"{line}  only in {'A' if way.b is None else 'B'}"
    if way.difference is None:
        return f"{line}  no question in common"
    figures = way.difference
    bounds = "one video"
    if figures.interval:
        bounds = f"{100 * figures.interval[0]:+.1f} to {100 * figures.interval[1]:+.1f}"
    line += f" {100 * figures.value:+6.1f}  {bounds:<15} {figures.pairs:>6}"
    line += " *" if way.is_marked else ""
    if any(figures.unpaired):
        line += f"  unpaired: {figures.unpaired[1]} in A, {figures.unpaired[0]} in B"
    return line


def _share(answers: Sequence[Answered]) -> float:
    right = right_shares(answers)
    return sum(right.values()) / len(right)


def _percent(share: float | None) -> str:
    return f"{'-':>6}" if share is None else f"{share:>6.1%}"


def _or_none(value: str | None) -> str:
    return "(none)" if value is None else value


def _listed(ways: dict[Way, list[Answered]]) -> str:
    names = [f"{strategy} {keep:g}" for strategy, keep in ways]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more if names else "no answers"


def _first_question(log: AnswerLog) -> str:
    first = log.answers[0]
    return f"{first.question!r} about {first.video!r}"
