"""The plot of words read over tokens kept, for drawn pages and for real recordings."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from framesift.disk.writing import write_atomically
from framesift.evaluation.curves.axes import (
    ACROSS_INCHES,
    BEST,
    BOTTOM_INCHES,
    COLORS,
    LEFT_INCHES,
    LETTER_INCHES,
    LOOK,
    TOP_INCHES,
    titled,
)
from framesift.evaluation.curves.lines import Point, draw_lines, height_inches, set_bounds
from framesift.registry import require

DPI: Final = 110
SHOWN: Final = {"protect-text": BEST, "protect-edges": "#7460a8"}
"""Colours besides those of `temporal`, `uniform` and `random`."""
TITLES: Final = {"pages": "drawn pages", "recordings": "parts of real recordings"}


def write_plot(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Returns the PNG of a run, written whole or not at all.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib", extra="bench")
    buffer = io.BytesIO()
    with matplotlib.rc_context(LOOK):
        _figure(rows).savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return write_atomically(path, buffer.getvalue())


def _figure(rows: Sequence[dict[str, Any]]) -> Any:
    groups = [group for group in TITLES if any(row["group"] == group for row in rows)]
    lines = {group: _lines(rows, group) for group in groups}
    names = {name for own in lines.values() for name in own}
    tall = max((height_inches(own) for own in lines.values()), default=4.0)
    each = LEFT_INCHES + ACROSS_INCHES + 0.5 + LETTER_INCHES * max(map(len, names), default=0)
    width, height = each * max(1, len(groups)), tall + TOP_INCHES + BOTTOM_INCHES
    figure = require("matplotlib.figure", extra="bench").Figure(figsize=(width, height))
    for number, (group, own) in enumerate(lines.items()):
        place = (number * each + LEFT_INCHES) / width, BOTTOM_INCHES / height
        axis = figure.add_axes((*place, ACROSS_INCHES / width, tall / height))
        colors = {name: color for name, color in (COLORS | SHOWN).items() if name in own}
        set_bounds(axis, own, {})
        draw_lines(axis, own, colors, inches=tall)
        axis.set_ylabel("words read, in per cent")
        videos = max(row["videos"] for row in rows if row["group"] == group)
        note = "Dropped patches are painted over, merged ones show their mean. A word counts once, "
        note += "in whichever frame it is read. Bands are 95 % of a bootstrap over videos."
        titled(axis, f"Words that OCR still reads, {videos} {TITLES[group]}", note)
    return figure


def _lines(rows: Sequence[dict[str, Any]], group: str) -> dict[str, list[Point]]:
    lines: dict[str, list[Point]] = {}
    for row in sorted(rows, key=lambda row: -row["keep"]):
        if row["group"] == group:
            interval = None if row["interval"] is None else tuple(row["interval"])
            point = Point(keep=row["keep"], share=row["share"], interval=interval)
            lines.setdefault(row["way"], []).append(point)
    return lines
