"""Lines of shares over a shrinking budget, each named where it ends and no name over another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from framesift.evaluation.curves.axes import LABEL_INCHES, name_ends
from framesift.evaluation.curves.palette import INK, PAPER, PEER

TICKS: Final = (1, 2, 5, 10, 25, 35, 50, 75, 100)
"""Marks along the budget, in per cent."""
ASIDE: Final = 0.014
"""How far, in parts of the budget, lines with upright intervals stand apart."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A share at a part of the tokens, with its interval where there is one."""

    keep: float
    share: float
    interval: tuple[float, float] | None


Lines = Mapping[str, Sequence[Point]]


def height_inches(lines: Lines) -> float:
    """Returns how high axes must be for the names of all lines to stand below each other."""
    return max(4.6, LABEL_INCHES * (len(lines) + 1))


def set_bounds(axis: Any, lines: Lines, levels: Mapping[str, float]) -> None:
    """Sets the limits across the shares, a little wider than all of them."""
    points = [point for points in lines.values() for point in points]
    edges = [edge for point in points for edge in point.interval or (point.share,)]
    shares = [100 * share for share in (*edges, *levels.values())]
    reach = max(shares) - min(shares) or 1.0
    axis.set_ylim(max(-2, min(shares) - 0.07 * reach), min(102, max(shares) + 0.07 * reach))


def draw_lines(
    axis: Any, lines: Lines, colors: Mapping[str, str], *, inches: float, bands: bool = True
) -> None:
    """Draws a line per name over the tokens kept, most of them at the left, fewer to the right.

    There the lines part, so their names stand there. Those in `colors` show their intervals, the
    others are thin and grey.

    Args:
        axis: matplotlib axes whose limits across the shares are set.
        lines: points by name, those that keep most first.
        colors: colour by name, of those that have one.
        inches: height of the axes.
        bands: whether intervals are bands; else upright lines beside each other, for wide ones.
    """
    for name in (name for name in lines if name not in colors):
        keeps, shares = _places(lines[name])
        mark = "." if len(keeps) == 1 else ""
        axis.plot(keeps, shares, color=PEER, linewidth=0.9, marker=mark, zorder=2)
    for number, (name, color) in enumerate(colors.items()):
        aside = 1.0 if bands else 1 + ASIDE * (number - (len(colors) - 1) / 2)
        look = {"markersize": 4.5, "markeredgecolor": PAPER, "zorder": 4}
        axis.plot(*_places(lines[name], aside), "o-", color=color, **look)
        known = [(p.keep, *p.interval) for p in lines[name] if p.interval is not None]
        if known:
            at, low, high = (100 * np.array(values) for values in zip(*known, strict=True))
            if bands:
                axis.fill_between(at, low, high, color=color, alpha=0.13, linewidth=0, zorder=3)
            else:
                axis.vlines(aside * at, low, high, color=color, linewidth=1.2, alpha=0.7, zorder=3)
    _budget_axis(axis, lines)
    ends = {name: min(points, key=lambda point: point.keep) for name, points in lines.items()}
    spots = {name: (100 * point.keep, 100 * point.share) for name, point in ends.items()}
    name_ends(axis, spots, colors, inches)


def _places(points: Sequence[Point], aside: float = 1.0) -> tuple[list[float], list[float]]:
    """Returns the places along the budget, times `aside`, and those across it, in per cent."""
    return [100 * point.keep * aside for point in points], [100 * point.share for point in points]


def _budget_axis(axis: Any, lines: Lines) -> None:
    keeps = [100 * point.keep for points in lines.values() for point in points]
    axis.set_xscale("log")
    axis.set_xlim(max(keeps) * 1.04, min(keeps) * 0.96)
    axis.minorticks_off()
    ticks = [tick for tick in TICKS if any(0.9 < keep / tick < 1.1 for keep in keeps)]
    axis.set_xticks(ticks, [f"{tick} %" for tick in ticks])
    axis.set_xlabel("visual tokens kept, on a logarithmic scale; compressed harder to the right")


def draw_levels(axis: Any, levels: Mapping[str, float]) -> None:
    """Draws shares that do not depend on the budget, each with its name and value.

    The names stand beside each other, as some levels are close: the highest one's at the right,
    where no line is that high, the others' from the left, where no line is that low.
    """
    ranked = sorted(levels, key=lambda name: -levels[name])
    for rank, name in enumerate(ranked):
        share, where = 100 * levels[name], 0.99 if rank == 0 else 0.01 + 0.26 * (rank - 1)
        axis.axhline(share, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1.5)
        axis.annotate(
            f"{name}, {share:.1f} %",
            (where, share),
            (0, 4),
            xycoords=axis.get_yaxis_transform(),
            textcoords="offset points",
            ha="left" if rank else "right",
            va="bottom",
            color=INK,
            size=8.5,
            zorder=6,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
        )
