"""Axes in the house's look: room for names beside them, and names that keep apart."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from framesift.evaluation.curves.palette import ACCENT, OURS, PEER, QUIET, STYLE
from framesift.registry import require

LOOK: Final = STYLE | {
    "axes.grid.axis": "both",
    "svg.hashsalt": "framesift",
    "svg.fonttype": "path",
    "text.parse_math": False,
}
"""Settings of matplotlib for every figure; a salt, so that equal numbers give equal files."""
ACROSS_INCHES: Final = 6.9
LEFT_INCHES, BOTTOM_INCHES, TOP_INCHES = 0.75, 0.65, 0.9
COLORS: Final = {"temporal": OURS, "uniform": ACCENT, "random": "#a8434f", "attention": "#7460a8"}
"""Strategies that are drawn in a colour of their own."""
BEST: Final = "#2e7d5b"
"""Colour of the best strategy, where it has none of its own."""
LABEL_INCHES: Final = 0.165
"""Height of a name at the end of a line."""
LETTER_INCHES: Final = 0.085
"""About the width of a letter of a name, bold ones included."""


NOTE_LETTERS: Final = 104
"""Letters in a line under a title."""

Spot = tuple[float, float]


def roomy(height: float, names: Iterable[str], *, left: float = LEFT_INCHES) -> tuple[Any, Any]:
    """Returns a figure and axes in it.

    Args:
        height: of the axes, in inches.
        names: for which there is room at their right.
        left: inches at their left.
    """
    right = 0.5 + LETTER_INCHES * max((len(name) for name in names), default=0)
    size = left + ACROSS_INCHES + right, height + TOP_INCHES + BOTTOM_INCHES
    figure = require("matplotlib.figure", extra="bench").Figure(figsize=size)
    across, tall = ACROSS_INCHES / size[0], height / size[1]
    return figure, figure.add_axes((left / size[0], BOTTOM_INCHES / size[1], across, tall))


def titled(axis: Any, title: str, note: str) -> None:
    """Puts a title over axes, and under it a note in as many lines as it takes."""
    lines = textwrap.wrap(note, NOTE_LETTERS)
    axis.set_title(title, pad=11 + 12 * len(lines))
    axis.annotate(
        "\n".join(lines),
        (0, 1),
        (0, 8),
        xycoords="axes fraction",
        textcoords="offset points",
        color=QUIET,
        size=8.5,
    )


def colored(names: Sequence[str], best: str | None) -> dict[str, str]:
    """Returns the colour of each name that has one, the best one last."""
    colors = {name: COLORS[name] for name in COLORS if name in names}
    if best is not None and best not in colors:
        colors[best] = BEST
    return colors


def spread(places: Sequence[float], *, gap: float) -> list[float]:
    """Returns ascending places from 0 to 1, at least `gap` apart, near the given ascending ones.

    They are the nearest in the sense of least squares, found by pooling neighbours, then moved
    between 0 and 1. Where they do not fit there, the gap shrinks.
    """
    gap = min(gap, 1 / max(len(places) - 1, 1))
    pools: list[tuple[float, int]] = []
    for number, place in enumerate(places):
        mean, count = place - number * gap, 1
        while pools and pools[-1][0] >= mean:
            before, more = pools.pop()
            mean, count = (mean * count + before * more) / (count + more), count + more
        pools.append((mean, count))
    top = 1 - (len(places) - 1) * gap
    starts = [min(max(mean, 0.0), top) for mean, count in pools for _ in range(count)]
    return [start + number * gap for number, start in enumerate(starts)]


def name_ends(
    axis: Any, ends: Mapping[str, Spot], colors: Mapping[str, str], inches: float
) -> None:
    """Writes names right of axes, each with a thin line to what it names, and none over another.

    Args:
        axis: matplotlib axes whose limits are set.
        ends: what is named, in data coordinates.
        colors: colour by name; the others are a quiet grey.
        inches: height of the axes.
    """
    to_axes = axis.transData + axis.transAxes.inverted()
    heights = {name: float(to_axes.transform(end)[1]) for name, end in ends.items()}
    names = sorted(heights, key=lambda name: heights[name])
    places = spread([heights[name] for name in names], gap=LABEL_INCHES / inches)
    for name, place in zip(names, places, strict=True):
        color = colors.get(name)
        line = {"arrowstyle": "-", "color": color or PEER, "linewidth": 0.6, "relpos": (0, 0.5)}
        axis.annotate(
            name,
            ends[name],
            (1.045, place),
            textcoords="axes fraction",
            va="center",
            color=color or QUIET,
            size=9 if color else 8,
            weight="bold" if color else "normal",
            arrowprops={"shrinkA": 2, "shrinkB": 3, **line},
            annotation_clip=False,
            zorder=6,
        )
