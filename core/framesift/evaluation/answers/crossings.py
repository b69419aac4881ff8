"""Two curves of accuracy against the logarithm of the tokens' share, and where they cross."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.evaluation.answers.bootstrap import Floats

DIGITS: Final = 12
"""Decimals of differences; further ones are rounding errors of sums."""


def shared_axis(one: Floats, other: Floats) -> Floats:
    """Returns where either curve has a point and both are defined, ascending."""
    low, high = max(one.min(), other.min()), min(one.max(), other.max())
    points: Floats = np.unique(np.concatenate([one, other]))
    shared: Floats = points[(points >= low) & (points <= high)]
    return shared


def weights(points: Floats, axis: Floats) -> Floats:
    """Returns what interpolates values at `points` to `axis`, `(points, axis)`.

    Values at one and the same point are averaged.
    """
    places, number, count = np.unique(points, return_inverse=True, return_counts=True)
    between = np.stack([np.interp(axis, places, row) for row in np.eye(len(places))])
    averaged: Floats = between[number] / count[number][:, None]
    return averaged


@dataclass(frozen=True, kw_only=True)
class Crossings:
    """Where pairs of curves cross, one pair each row."""

    at: Floats
    """`(R,)` on the axis; NaN where a pair does not cross."""
    count: npt.NDArray[np.int64]
    """`(R,)` how often it does."""
    is_above_before: npt.NDArray[np.bool_]
    """`(R,)` whether the first curve is the upper one left of `at`."""


def crossings(axis: Floats, gaps: Floats) -> Crossings:
    """Returns where the first curve stops being above the second, or begins to be.

    Curves that only touch do not cross; where they coincide for a while before they change
    sides, they cross at the right end of that. Of several crossings the one is taken that divides
    the curves best: with the largest area by which one leads on its left and the other on its
    right, the right one of equal ones. So a lead that flickers where the curves have all but met
    does not hide where they change places.

    Args:
        axis: `(G,)`, ascending.
        gaps: `(R, G)` the first curve less the second, rounded to `DIGITS` decimals.
    """
    count = np.zeros(len(gaps), np.int64)
    if len(axis) < 2:
        nowhere = np.full(len(gaps), np.nan)
        return Crossings(at=nowhere, count=count, is_above_before=count > 0)
    signs, places = np.sign(gaps), np.arange(len(axis))
    last = np.maximum.accumulate(np.where(signs != 0, places, 0), axis=1)
    before = np.take_along_axis(signs, last, axis=1)[:, :-1]
    is_crossing = before * signs[:, 1:] < 0
    left, right, widths = gaps[:, :-1], gaps[:, 1:], np.diff(axis)
    part = np.divide(left, left - right, out=np.zeros_like(left), where=is_crossing)
    areas = np.cumsum(widths * (left + right) / 2, axis=1)
    until = areas - widths * (left + right) / 2 + part * widths * left / 2
    lead = np.where(is_crossing, np.abs(2 * until - areas[:, -1:]).round(DIGITS), -1.0)
    best = lead.shape[1] - 1 - lead[:, ::-1].argmax(axis=1)
    rows, count = np.arange(len(gaps)), is_crossing.sum(axis=1)
    interpolated = axis[best] + part[rows, best] * widths[best]
    return Crossings(
        at=np.where(count > 0, interpolated, np.nan),
        count=count,
        is_above_before=before[rows, best] > 0,
    )
