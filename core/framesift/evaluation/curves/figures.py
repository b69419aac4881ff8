"""The figures about what compression costs and buys, drawn from plain numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Final

import numpy as np

from framesift.evaluation.answers.crossover import Crossover
from framesift.evaluation.answers.log import bound_words, budget_words
from framesift.evaluation.curves.axes import LABEL_INCHES, LETTER_INCHES, colored, roomy, titled
from framesift.evaluation.curves.lines import (
    Lines,
    draw_levels,
    draw_lines,
    height_inches,
    set_bounds,
)
from framesift.evaluation.curves.palette import ACCENT, INK, OURS, PAPER, PEER, QUIET
from framesift.registry import require

CELL_INCHES: Final = 0.8, 0.26
FULL_SHADE: Final = 0.4
"""Difference of two shares from which on the shade grows no more."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What one way of shortening a video takes and brings."""

    name: str
    keep: float | None
    """Asked share of the tokens; None of a way without such a budget."""
    share: float
    seconds: float

    def __str__(self) -> str:
        return self.name if self.keep is None else f"{self.name} at {budget_words(self.keep)}"


def answers_figure(
    lines: Lines,
    levels: Mapping[str, float],
    *,
    best: str | None = None,
    crossing: Crossover | None = None,
) -> Any:
    """Returns the share of right answers over the tokens kept.

    Args:
        lines: points by strategy.
        levels: shares that do not depend on the budget, by name.
        best: strategy that is drawn in colour whatever its name.
        crossing: of two of the strategies, drawn as a mark with its interval, and said.
    """
    inches = height_inches(lines)
    figure, axis = roomy(inches, lines)
    set_bounds(axis, lines, levels)
    draw_lines(axis, lines, colored(list(lines), best), inches=inches)
    draw_levels(axis, levels)
    if crossing is not None:
        _mark(axis, crossing, lines)
    axis.set_ylabel("right answers, per cent")
    note = "bands: 95 % intervals over videos" + (f"; {crossing.sentence}" if crossing else "")
    titled(axis, "Right answers against tokens kept", note)
    return figure


def _mark(axis: Any, crossing: Crossover, lines: Lines) -> None:
    """Draws a crossing as an upright line with a ring, and its interval as a shade."""
    if crossing.interval is not None:
        axis.axvspan(*(100 * edge for edge in crossing.interval), color=INK, alpha=0.06, zorder=1)
    if crossing.at is not None:
        points = sorted(lines[crossing.one], key=lambda point: point.keep)
        keeps, shares = [log(p.keep) for p in points], [100 * p.share for p in points]
        share = float(np.interp(log(crossing.at), keeps, shares))
        axis.axvline(100 * crossing.at, color=INK, linewidth=0.9, zorder=1)
        ring = {"markersize": 13, "markerfacecolor": "none", "zorder": 7}
        axis.plot(100 * crossing.at, share, "o", color=INK, **ring)


def front(ways: Sequence[Timed]) -> list[Timed]:
    """Returns the ways that no other is both as fast and better than, fastest first."""
    chosen: list[Timed] = []
    for way in sorted(ways, key=lambda way: (way.seconds, -way.share)):
        if not chosen or way.share > chosen[-1].share:
            chosen.append(way)
    return chosen


def front_figure(ways: Sequence[Timed], *, whole: str, best: str | None) -> Any:
    """Returns right answers over the time to the first token, with the ways that none beats.

    Args:
        ways: of asking about a video.
        whole: the name of the one that takes every token, which is marked.
        best: strategy that is drawn in colour whatever its name.
    """
    edge = front(ways)
    listed = [str(way) for way in edge]
    colors = colored([way.name for way in ways], best)
    inches = max(5.0, LABEL_INCHES * (len(listed) + len(colors) + 8))
    figure, axis = roomy(inches, listed)
    for way in ways:
        place, color = (way.seconds, 100 * way.share), colors.get(way.name)
        if way.name == whole:
            axis.plot(*place, "*", markersize=16, color=INK, markeredgecolor=PAPER, zorder=6)
        else:
            look = {"markersize": 7, "zorder": 4} if color else {"markersize": 5, "zorder": 3}
            axis.plot(*place, "o", color=color or PEER, markeredgecolor=PAPER, **look)
    times, shares = [way.seconds for way in edge], [100 * way.share for way in edge]
    axis.step(times, shares, where="post", color=INK, linewidth=0.9, zorder=2)
    axis.plot(times, shares, "o", color=INK, markersize=9, markerfacecolor="none", zorder=5)
    axis.set_xlabel("seconds to the first token, median: decoding, encoding, planning and prefill")
    axis.set_ylabel("right answers, per cent")
    legend = {name: (color, "o") for name, color in colors.items()}
    legend |= {"others": (PEER, "o"), whole: (INK, "*")}
    _list(axis, legend, listed, [colors.get(way.name, QUIET) for way in edge], inches)
    titled(
        axis,
        "Right answers against time to the first token",
        "ringed: no other way is both faster and better",
    )
    return figure


def _list(
    axis: Any,
    legend: Mapping[str, tuple[str, str]],
    listed: Sequence[str],
    colors: Sequence[str],
    inches: float,
) -> None:
    """Writes what the marks mean, and below it the ringed ways from the fastest on."""
    entries = [(name, color, mark) for name, (color, mark) in legend.items()]
    entries += [("", INK, ""), ("ringed, fastest first:", INK, "")]
    entries += [(name, color, "") for name, color in zip(listed, colors, strict=True)]
    look = {"transform": axis.transAxes, "va": "center", "size": 8.5}
    for row, (name, color, mark) in enumerate(entries):
        place = 1 - LABEL_INCHES * 1.05 * (row + 0.5) / inches
        if mark:
            axis.plot(1.03, place, mark, color=color, transform=axis.transAxes, clip_on=False)
        ink = QUIET if color == PEER else color
        axis.text(1.05 if mark else 1.022, place, name, color=ink, **look)


def kinds_figure(
    shares: Mapping[str, Mapping[str, float]],
    *,
    whole: Mapping[str, float],
    keep: float,
    apart: int,
    answers: Mapping[str, int],
) -> Any:
    """Returns a table of shares, a row per way and a column per kind of question.

    Args:
        shares: share by kind, by way from top to bottom.
        whole: share by kind of all tokens; a cell's shade is its difference from that.
        keep: of the tokens, for the title.
        apart: so many of the first rows are set apart, as their budget is another one.
        answers: how many answers a way has of each kind.
    """
    names, kinds = list(shares), list(answers)
    width, height = CELL_INCHES[0] * len(kinds), CELL_INCHES[1] * len(names)
    left = 0.3 + LETTER_INCHES * max(len(name) for name in names)
    size = max(left + width + 0.15, 6.6), height + 1.45
    figure = require("matplotlib.figure", extra="bench").Figure(figsize=size)
    axis = figure.add_axes((left / size[0], 0.1 / size[1], width / size[0], height / size[1]))
    for row, name in enumerate(names):
        for column, kind in enumerate(kinds):
            if (share := shares[name].get(kind)) is not None:
                _cell(axis, row, column, share, share - whole.get(kind, share))
    axis.set_xlim(0, len(kinds))
    axis.set_ylim(len(names), 0)
    axis.axhline(apart - 0.03, color=INK, linewidth=1)
    axis.set_yticks([row + 0.47 for row in range(len(names))], names)
    heads = [f"{textwrap.fill(kind, 10)}\n{answers[kind]:,}" for kind in kinds]
    axis.set_xticks([column + 0.485 for column in range(len(kinds))], heads)
    axis.grid(visible=False)
    axis.xaxis.tick_top()
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(length=0)
    title = f"Right answers by kind of question, at {bound_words(keep)}"
    note = "per cent; blue: more are right than from all tokens, orange: fewer; heads: answers"
    look = {"va": "top", "ha": "left"}
    figure.text(0.15 / size[0], 1 - 0.15 / size[1], title, size=12, weight="bold", **look)
    figure.text(0.15 / size[0], 1 - 0.4 / size[1], note, size=8.5, color=QUIET, **look)
    return figure


def _cell(axis: Any, row: int, column: int, share: float, more: float) -> None:
    """Draws a share on a shade for how much more it is than another."""
    patches = require("matplotlib.patches", extra="bench")
    colors = require("matplotlib.colors", extra="bench")
    shades = colors.LinearSegmentedColormap.from_list("more", [ACCENT, PAPER, OURS])
    shade = shades(0.5 + max(-0.5, min(0.5, more / (2 * FULL_SHADE))))
    axis.add_patch(patches.Rectangle((column, row), 0.97, 0.94, color=shade))
    axis.text(column + 0.485, row + 0.47, f"{100 * share:.0f}", ha="center", va="center", size=8.5)
