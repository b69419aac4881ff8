"""The plot of right answers against real compression, with where each way falls off."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from framesift.disk.writing import write_atomically
from framesift.evaluation.answers.log import BLIND, WHOLE
from framesift.evaluation.answers.question_sets import SINGLE
from framesift.evaluation.answers.statistics import OVERALL
from framesift.evaluation.bounds.cliffs import HELD
from framesift.evaluation.bounds.figures import MOVING
from framesift.evaluation.bounds.ways import FRAMES
from framesift.evaluation.curves.palette import ACCENT, INK, LINE, OURS, PAPER, PEER, QUIET, STYLE
from framesift.registry import require

Row = dict[str, Any]
DPI: Final = 130
PANELS: Final = (OVERALL, MOVING, SINGLE)
"""Groups of questions that have a panel, where the log has some."""
COLORS: Final = (OURS, ACCENT, "#2e7d5b", "#a8434f", "#7460a8", INK, "#8a6d3b", PEER)
MARKS: Final = "os^Dvp*X"
TICKS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
ASIDE: Final = 0.012
"""How far, in parts of the compression, upright intervals stand apart."""
NOTE: Final = (
    "upright: 95 % intervals over videos; dots: runs; dotted: not measured in between; "
    f"ringed: where a way falls below {HELD:.0%} of what all tokens bring"
)
CLIFF: Final = 4.0
"""Compression from which on pooling is known to fall off, a quarter of the tokens."""


def write_plot(path: Path, results: Row) -> Path:
    """Returns the PNG of the results of a run, written whole or not at all.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib", extra="bench")
    figures = require("matplotlib.figure", extra="bench")
    groups = {row["group"] for row in results["rows"]}
    panels = [group for group in PANELS if group in groups]
    buffer = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "both", "text.parse_math": False}):
        figure = figures.Figure(figsize=(0.6 + 5.0 * len(panels), 5.0), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False, sharex=True)[0]
        for axis, group in zip(axes, panels, strict=True):
            _panel(axis, results, group)
        axes[0].set_ylabel("right answers, per cent")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
        figure.suptitle(NOTE, x=0.01, ha="left", size=8.5, color=QUIET)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return write_atomically(path, buffer.getvalue())


def _panel(axis: Any, results: Row, group: str) -> None:
    own = [row for row in results["rows"] if row["group"] == group]
    ways = dict.fromkeys(row["way"] for row in own if row["bound"] is not None)
    ends = {row["way"]: row["until"] for row in results["cliffs"] if row["group"] == group}
    whole = [row for row in own if row["way"] == WHOLE]
    others = iter(zip(COLORS * len(ways), MARKS * len(ways), strict=True))
    for number, way in enumerate(ways):
        color, mark = (QUIET, "D") if way == FRAMES else next(others)
        points = [row for row in own if row["way"] == way and row["bound"] is not None]
        points.sort(key=lambda row: row["compression"])
        aside = 1 + ASIDE * (number - (len(ways) - 1) / 2)
        _curve(axis, points, aside, {"color": color, "marker": mark, "label": way})
        _from_whole(axis, [*whole, *points], color, ends.get(way))
    for row in own:
        if row["way"] in (WHOLE, BLIND):
            axis.axhline(100 * row["share"], color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
            spot = (0.01, 100 * row["share"])
            words = f"{row['way']}, {100 * row['share']:.1f} %"
            look = {"xycoords": axis.get_yaxis_transform(), "textcoords": "offset points"}
            axis.annotate(words, spot, (0, 3), color=INK, size=8, **look)
    _across(axis, [row["compression"] for row in own if row["bound"] is not None])
    questions = max(row["answers"] for row in own)
    axis.set_title(f"{group} ({questions:,} questions)", size=10.5)


def _curve(axis: Any, points: Sequence[Row], aside: float, look: Row) -> None:
    """Draws a way with its intervals upright, `aside` from others', and its runs as small dots."""
    at = np.array([row["compression"] for row in points])
    right = 100 * np.array([row["share"] for row in points])
    axis.plot(at, right, markersize=5, markeredgecolor=PAPER, zorder=4, **look)
    for row in points:
        across, color = aside * row["compression"], look["color"]
        if row["interval"] is not None:
            low, high = (100 * bound for bound in row["interval"])
            axis.vlines(across, low, high, color=color, linewidth=1.1, alpha=0.6, zorder=3)
        if row["spread"] is not None:
            runs = [100 * share for share in row["runs"]]
            axis.plot([across] * len(runs), runs, ".", color=color, markersize=4, zorder=3)


def _from_whole(axis: Any, points: Sequence[Row], color: str, until: float | None) -> None:
    """Draws what leads from all tokens to the first point, and a ring where a way falls off."""
    at = [row["compression"] for row in points]
    right = [100 * row["share"] for row in points]
    axis.plot(at[:2], right[:2], color=color, linewidth=1.0, linestyle=":", zorder=2)
    if until is not None:
        height = np.interp(np.log(until), np.log(at), right)
        ring = {"markersize": 13, "markerfacecolor": "none", "zorder": 5}
        axis.plot(until, height, "o", color=color, **ring)


def _across(axis: Any, compressions: Sequence[float]) -> None:
    low, high = 1.0, max(compressions)
    axis.set_xscale("log")
    axis.set_xlim(low * 0.94, high * 1.06)
    axis.minorticks_off()
    ticks = [tick for tick in TICKS if low * 0.94 <= tick <= high * 1.06]
    axis.set_xticks(ticks, [f"{tick}x" for tick in ticks])
    if high > CLIFF:
        axis.axvspan(CLIFF, high * 1.06, color=LINE, alpha=0.35, zorder=0)
        look = {"ha": "left", "va": "bottom", "color": QUIET, "size": 8}
        spot = axis.get_xaxis_transform()
        axis.text(CLIFF * 1.03, 0.01, "below a quarter", transform=spot, **look)
    axis.set_xlabel("real compression, on a logarithmic scale")
