"""How far each way can be compressed until it loses a tenth of what all tokens bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from framesift.evaluation.answers.bootstrap import BOUNDS, Floats, draws, sums_by_video
from framesift.evaluation.answers.log import WHOLE
from framesift.evaluation.bounds.figures import Answers

HELD: Final = 0.9
"""Share of the right answers from all tokens that counts as held."""
DECIMALS: Final = 2


def cliffs(found: Sequence[Answers], groups: Sequence[str]) -> list[dict[str, Any]]:
    """Returns until which compression each way holds `HELD` of the right answers from all tokens.

    `until` is where the line between measured points, over the logarithm of the compression, first
    falls below it; None where it does not up to `measured_to`. The interval's upper end is None
    where resamples beyond it do not fall either.
    """
    whole = next((own for own in found if own.way == WHOLE), None)
    ways = dict.fromkeys(own.way for own in found if own.bound is not None)
    if whole is None:
        return []
    curves = {way: [o for o in found if o.way == way and o.bound is not None] for way in ways}
    return [
        {"way": way, "group": group, **figures}
        for way, points in curves.items()
        for group in groups
        if (figures := _cliff(whole, points, group)) is not None
    ]


def _cliff(whole: Answers, points: Sequence[Answers], group: str) -> dict[str, Any] | None:
    answered = frozenset.intersection(*(own.answered for own in points))
    places = [place for place in whole.of_group(group) if place in answered]
    if not any(whole.right(place) for place in places):
        return None
    right = [[own.right(place) for own in (whole, *points)] for place in places]
    sums = sums_by_video([video for video, _ in places], right)
    by_compression = {_compression(own, places): n for n, own in enumerate(points, start=1)}
    by_compression = {1.0: 0} | {at: n for at, n in by_compression.items() if at > 1}
    order = sorted(by_compression)
    columns = [by_compression[at] for at in order]
    totals = sums.sum(axis=0, keepdims=True)
    if len(sums) > 1:
        totals = np.vstack([totals, draws(len(sums)) @ sums])
    totals = totals[totals[:, 0] > 0]
    until = _first_below(np.log(order), totals[:, columns] / totals[:, :1])
    drawn, interval = until[1:], None
    if len(drawn):
        interval = [_or_none(at) for at in np.quantile(drawn, BOUNDS, method="inverted_cdf")]
    return {
        "until": _or_none(until[0]),
        "interval": interval,
        "measured_to": round(max(order), DECIMALS),
    }


def _first_below(axis: Floats, held: Floats) -> Floats:
    """Returns the compression at which each row first falls below `HELD`; infinity for never.

    Args:
        axis: `(P,)` logarithms of compressions, ascending, the first one 0.
        held: `(R, P)` shares of the right answers from all tokens; 1 at the first place.
    """
    is_below = held < HELD
    place = np.maximum(is_below.argmax(axis=1), 1)
    number = np.arange(len(held))
    left, right = held[number, place - 1], held[number, place]
    fall = np.where(is_below.any(axis=1), left - right, 1.0)
    part = (left - HELD) / fall
    at: Floats = np.exp(axis[place - 1] + part * (axis[place] - axis[place - 1]))
    at[~is_below.any(axis=1)] = np.inf
    return at


def _compression(own: Answers, places: Sequence[tuple[str, str]]) -> float:
    answers = [run[place] for run in own.runs for place in places]
    return sum(a.tokens_before for a in answers) / sum(a.tokens for a in answers)


def _or_none(compression: float) -> float | None:
    return round(float(compression), DECIMALS) if np.isfinite(compression) else None
