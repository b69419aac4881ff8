"""Sums a log of answers up in a few sentences with figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from framesift.evaluation.answers.crossover import crossover
from framesift.evaluation.answers.log import BLIND, ONE_FRAME, WHOLE, Answered, AnswerLog
from framesift.evaluation.answers.question_sets import span
from framesift.evaluation.answers.statistics import (
    Paired,
    Way,
    by_way,
    difference,
    retained,
    shares,
)

DEFAULT, UNIFORM, RANDOM = "temporal", "uniform", "random"
WHOLE_WAY: Final = (WHOLE, 1.0)
KEEPS: Final = (0.25, 0.1, 0.05)
"""Shares of the tokens that have a sentence."""


def verdict(log: AnswerLog) -> list[str]:
    """Returns one line for each finding of the log; intervals are 95 %, over videos."""
    ways = by_way(log.answers)
    if WHOLE_WAY not in ways:
        return []
    lines = [_right(ways)]
    for keep in KEEPS:
        lines += _kept(ways, keep)
    names = {name for name, _ in ways}
    if {DEFAULT, UNIFORM} <= names:
        lines.append(crossover(log.answers, DEFAULT, UNIFORM).sentence)
    if empty := sum(not answer.said.strip() for answer in log.answers):
        lines.append(f"{empty} of {len(log.answers)} answers were empty, and count as wrong")
    return lines


def summary(log: AnswerLog) -> dict[str, Any]:
    """Returns the run, the share of right answers of every way, and the verdict; JSON-safe."""
    rows = shares(log.answers, lambda kind: (span(kind),))
    return {
        "run": log.run.model_dump(),
        "verdict": verdict(log),
        "rows": [row.as_row() for row in rows],
    }


def _right(ways: dict[Way, list[Answered]]) -> str:
    parts = []
    for name in (WHOLE, ONE_FRAME, BLIND):
        own = [
            answer
            for (strategy, _), answers in ways.items()
            if strategy == name
            for answer in answers
        ]
        if own:
            parts.append(f"{name} {sum(answer.right for answer in own) / len(own):.1%}")
    return f"right answers: {', '.join(parts)}"


def _kept(ways: dict[Way, list[Answered]], keep: float) -> Iterator[str]:
    whole = ways[WHOLE_WAY]
    held = {
        name: ratio
        for (name, share), answers in ways.items()
        if share == keep and (ratio := retained(answers, whole)) is not None
    }
    if not held:
        return
    ranked = sorted(held, key=lambda name: -held[name].value)
    best, worst = ranked[0], ranked[-1]
    named = dict.fromkeys([best, DEFAULT, UNIFORM, RANDOM, worst])
    figures = ", ".join(f"{name} {_spread(held[name])}" for name in named if name in held)
    yield f"at keep {keep:g}, share of the whole's right answers: {figures}"
    apart = difference(ways[best, keep], ways[worst, keep])
    yield f"at keep {keep:g}, {best} is {_spread(apart)} of all answers ahead of {worst}"
    if RANDOM in held:
        lost = difference(whole, ways[RANDOM, keep])
        yield f"at keep {keep:g}, {RANDOM} loses {_spread(lost)} of all answers"


def _spread(figure: Paired) -> str:
    if figure.interval is None:
        return f"{figure.value:.1%}"
    return f"{figure.value:.1%} ({figure.interval[0]:.1%} to {figure.interval[1]:.1%})"
