"""The plot of right answers over candidates, for each reader, and of what choosing cost."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from framesift.disk.writing import write_atomically
from framesift.evaluation.curves.palette import ACCENT, INK, OURS, PEER, QUIET, STYLE
from framesift.evaluation.selection.figures import as_of
from framesift.evaluation.selection.ways import (
    COUNT,
    KEYFRAMES,
    NOVELTY,
    SIMILARITY,
    TRAINED,
    TWICE,
    UNIFORM,
    WHOLE,
)
from framesift.registry import require

DPI: Final = 130
LOOKS: Final = {
    TRAINED: (OURS, "-", "o"),
    NOVELTY: (ACCENT, "-", "s"),
    KEYFRAMES: (ACCENT, ":", "s"),
    SIMILARITY: (INK, ":", "^"),
    TWICE: (PEER, "-", "D"),
    UNIFORM: (QUIET, "-", "D"),
    WHOLE: (PEER, ":", "x"),
}
"""Colour, line and mark of each way."""


def write_plot(path: Path, results: dict[str, Any]) -> Path:
    """Returns the PNG of a run, written whole or not at all.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib", extra="bench")
    figures = require("matplotlib.figure", extra="bench")
    readers = results["readers"]
    buffer = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "y"}):
        figure = figures.Figure(figsize=(6.2 * len(readers), 5.0), layout="constrained")
        axes = figure.subplots(1, len(readers), squeeze=False, sharey=True)[0]
        for axis, reader in zip(axes, readers, strict=True):
            _curves(axis, results["rows"], reader)
        axes[0].set_ylabel("right answers")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return write_atomically(path, buffer.getvalue())


def _curves(axis: Any, rows: Sequence[dict[str, Any]], reader: str) -> None:
    lengths = sorted({row["candidates"] for row in rows})
    for way, (color, line, mark) in LOOKS.items():
        found = [as_of(rows, reader, "local", length, way) for length in lengths]
        known = [row for row in found if row is not None]
        if not known:
            continue
        at, right = [row["candidates"] for row in known], [row["right"] for row in known]
        axis.plot(at, right, line, marker=mark, color=color, label=way)
        bounds = [row["right_interval"] for row in known]
        if all(bounds):
            low, high = zip(*bounds, strict=True)
            axis.fill_between(at, low, high, color=color, alpha=0.12, linewidth=0)
    axis.set_xscale("log", base=2)
    axis.set_xticks(lengths, [str(length) for length in lengths])
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("candidate frames, one a second")
    axis.set_title(f"{COUNT} frames for {reader}, questions about one moment")
