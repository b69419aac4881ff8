"""The share of tokens at which one strategy stops being better than another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.bootstrap import Floats, Interval, draws, middle, sums_by_video
from framesift.evaluation.answers.crossings import (
    DIGITS,
    Crossings,
    crossings,
    shared_axis,
    weights,
)
from framesift.evaluation.answers.log import Answered
from framesift.evaluation.answers.statistics import Way, by_way, right_shares


@dataclass(frozen=True, kw_only=True)
class Crossover:
    """Where two strategies are equally good, or which of them is better everywhere."""

    one: str
    other: str
    questions: int
    """Answered in every way of both strategies."""
    left_out: int
    """Questions that some of these ways did not answer."""
    videos: int
    sentence: str
    """What was found, in a sentence."""
    at: float | None = None
    """Share of the tokens; None where the curves do not cross."""
    interval: Interval | None = None
    """Middle 95 % of the resamples that cross; None without a crossing or of a single video."""
    count: int = 0
    """How often the curves cross; `at` is the crossing that divides them best."""
    crossed: float | None = None
    """Share of the resamples that cross at all; None of a single video."""
    ahead: str | None = None
    """The strategy that is nowhere below; None where they cross or are equal."""
    ahead_in: float | None = None
    """Share of the resamples in which `ahead` is nowhere below; None of a single video."""


@dataclass(frozen=True, kw_only=True)
class _Curves:
    """Two curves where both are defined, of all answers and of each resample."""

    known: Crossover
    """All but what the curves show."""
    axis: Floats
    """Logarithm of the shares of tokens, `(G,)`."""
    gaps: Floats
    """Accuracy of one less that of the other, `(1 + resamples, G)`, all answers first."""


def crossover(answers: Iterable[Answered], one: str, other: str) -> Crossover:
    """Returns at which share of the tokens the curves of two strategies cross.

    A curve is the share of right answers over the logarithm of the share of tokens that were
    really used, with straight lines between the measured points; the curves are compared where
    both are defined, by the questions that every way answered. Videos are resampled, the shares of
    tokens are not. Of several crossings the one that divides the curves best is taken, see
    `crossings`; curves that only touch, as at all tokens, do not cross.

    Args:
        answers: of these two strategies and any others.
        one: strategy as the answers have it, such as 'temporal'.
        other: the strategy it is compared with, such as 'uniform'.

    Raises:
        InvalidOptionError: a strategy has no answers, or some without tokens; or no question was
            answered in every way.
    """
    curves = _measured(by_way(answers), one, other)
    if not len(curves.axis):
        words = f"{one} and {other} were measured at no common share of the tokens"
        return replace(curves.known, sentence=words)
    crossing = crossings(curves.axis, curves.gaps)
    crossed = float((crossing.count[1:] > 0).mean()) if len(curves.gaps) > 1 else None
    curves = replace(curves, known=replace(curves.known, crossed=crossed))
    return _crossing(curves, crossing) if crossing.count[0] else _parted(curves)


def _measured(ways: Mapping[Way, list[Answered]], one: str, other: str) -> _Curves:
    first, second = _ways_of(ways, one), _ways_of(ways, other)
    own = [ways[way] for way in (*first, *second)]
    answered = [right_shares(answers) for answers in own]
    places = sorted(set.intersection(*map(set, answered)))
    if not places:
        raise InvalidOptionError(
            f"no question was answered at every keep of {one!r} and {other!r}; finish the run"
        )
    right = [[*(marks[place] for marks in answered), 1] for place in places]
    sums = sums_by_video([video for video, _ in places], right)
    resamples = draws(len(sums)) if len(sums) > 1 else np.empty((0, 1))
    totals = np.vstack([np.ones(len(sums)), resamples]) @ sums
    accuracy = totals[:, :-1] / totals[:, -1:]
    wanted = set(places)
    used = np.log([_tokens_share([a for a in answers if a.place in wanted]) for answers in own])
    end = len(first)
    axis = shared_axis(used[:end], used[end:])
    upper = accuracy[:, :end] @ weights(used[:end], axis)
    lower = accuracy[:, end:] @ weights(used[end:], axis)
    known = Crossover(
        one=one,
        other=other,
        questions=len(places),
        left_out=len(set().union(*answered)) - len(places),
        videos=len(sums),
        sentence="",
    )
    return _Curves(known=known, axis=axis, gaps=(upper - lower).round(DIGITS))


def _ways_of(ways: Mapping[Way, list[Answered]], strategy: str) -> list[Way]:
    own = [way for way in ways if way[0] == strategy]
    if not own:
        known = ", ".join(repr(name) for name in dict.fromkeys(name for name, _ in ways))
        raise InvalidOptionError(
            f"there are no answers of {strategy!r}; name one of {known or 'another log'}"
        )
    return own


def _tokens_share(answers: Sequence[Answered]) -> float:
    tokens = sum(answer.tokens for answer in answers)
    before = sum(answer.tokens_before for answer in answers)
    if not tokens or not before:
        raise InvalidOptionError(
            f"{answers[0].strategy!r} at keep {answers[0].keep:g} has no tokens, and so no place "
            "on a curve over tokens; name a strategy that keeps some"
        )
    return tokens / before


def _crossing(curves: _Curves, crossing: Crossings) -> Crossover:
    known, at = curves.known, float(np.exp(crossing.at[0]))
    drawn = np.exp(crossing.at[1:][crossing.count[1:] > 0])
    interval = middle(drawn) if len(drawn) else None
    names = known.one, known.other
    left, right = names if crossing.is_above_before[0] else names[::-1]
    words = f"{left} is better below {_percent(at)} of the tokens, {right} above"
    if interval:
        words += f" (95% interval {_percent(interval[0])} to {_percent(interval[1])})"
    if crossing.count[0] > 1:
        words += f"; of {crossing.count[0]} crossings this one divides the curves best"
    words += f"; {_in_resamples(known.crossed, 'cross')}"
    return replace(known, at=at, interval=interval, count=int(crossing.count[0]), sentence=words)


def _parted(curves: _Curves) -> Crossover:
    """Returns which curve is nowhere below the other; they do not cross."""
    known, gaps = curves.known, curves.gaps
    low, high = _percent(float(np.exp(curves.axis[0]))), _percent(float(np.exp(curves.axis[-1])))
    where = f"from {low} to {high} of the tokens"
    if len(curves.axis) == 1:
        where = f"at {low} of the tokens, the one common share"
    if not gaps[0].any():
        words = f"{known.one} and {known.other} are equally good {where}"
        return replace(known, sentence=words)
    sign = 1 if gaps[0].sum() > 0 else -1
    ahead, behind = (known.one, known.other)[::sign]
    ahead_in = float((gaps[1:] * sign >= 0).all(axis=1).mean()) if len(gaps) > 1 else None
    sure = _in_resamples(ahead_in, "say the same")
    words = f"{ahead} is nowhere below {behind} {where}; {sure}"
    return replace(known, ahead=ahead, ahead_in=ahead_in, sentence=words)


def _in_resamples(part: float | None, verb: str) -> str:
    if part is None:
        return "a single video leaves nothing to resample"
    return f"{_percent(part)} of resamples {verb}"


def _percent(part: float) -> str:
    return f"{100 * part:.3g}%"
