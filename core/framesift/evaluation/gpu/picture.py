"""The picture of `framesift bench gpu`: stages beside the own path, plans, and answers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

from framesift.disk.writing import write_atomically
from framesift.evaluation.curves.palette import ACCENT, INK, OURS, PEER, QUIET, STYLE
from framesift.registry import require

DPI: Final = 130
STAGES: Final = (
    ("encode", "encode_seconds", INK),
    ("plan", "plan_seconds", ACCENT),
    ("prefill", "prefill_seconds", OURS),
)


def write_picture(path: Path, results: dict[str, Any]) -> Path:
    """Returns the PNG of a run, written whole or not at all.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib", extra="bench")
    figures = require("matplotlib.figure", extra="bench")
    models = results["models"]
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = figures.Figure(figsize=(15, 4.4 * (len(models) + 1)), layout="constrained")
        axes = figure.subplots(len(models) + 1, 2, squeeze=False)
        for row, model in zip(axes, models, strict=False):
            _stages(row[0], model)
            _answers(row[1], model)
        _plans(axes[-1][0], results["planning"])
        _goals(axes[-1][1], results["goals"])
        note = f"; {results['note']}" if results["note"] else ""
        figure.suptitle(f"{results['device']}{note}", x=0.01, ha="left", color=QUIET)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return write_atomically(path, buffer.getvalue())


def _stages(axis: Any, model: dict[str, Any]) -> None:
    """Draws from frames to the first token of the longest video: ours by stages, the own path.

    A stroke is what the whole took in one go.
    """
    if not model["first_tokens"]:
        _nothing(axis, f"{model['name']}: to the first token")
        return
    size = model["first_tokens"][-1]
    own, names = size["own"], [f"keep {row['keep']:g}" for row in size["rows"]]
    if own:
        axis.barh([0], [1e3 * own["seconds"]], color=PEER, height=0.72, label="transformers alone")
    for place, row in enumerate(size["rows"], start=1):
        left = 0.0
        for name, key, color in STAGES:
            width = 1e3 * row.get(key, size.get(key, 0.0))
            label = name if place == 1 else None
            axis.barh([place], [width], left=[left], color=color, height=0.72, label=label)
            left += width
        whole, times = 1e3 * row["seconds"], row["times_as_fast_as_own"]
        axis.plot([whole, whole], [place - 0.42, place + 0.42], color=INK, linewidth=2)
        note = f"{whole:.0f} ms in one go" + (f", {times:.2f}x as fast" if times else "")
        at = max(left, whole), place
        axis.annotate(note, at, (6, 0), textcoords="offset points", va="center", size=8)
    axis.set_yticks(range(1 + len(names)), ["own path" if own else "own path: none", *names])
    axis.set_ylim(len(names) + 1.2, -0.6)
    axis.margins(x=0.3)
    axis.legend(loc="lower right", ncols=4, fontsize=8)
    axis.set_title(f"{model['name']}: {size['frames']} frames to the first token")
    axis.set_xlabel("milliseconds, random weights; bars: stages by themselves")


def _nothing(axis: Any, title: str) -> None:
    axis.axis("off")
    axis.set_title(f"{title}: not measured")


def _answers(axis: Any, model: dict[str, Any]) -> None:
    """Draws milliseconds per token, and the two questions."""
    found = model["decoding"]
    if not found:
        _nothing(axis, f"{model['name']}: answers")
        return
    rows = []
    if found["own_ms_per_token"]:
        rows.append(("token, transformers alone", found["own_ms_per_token"], PEER))
    ways = [
        (name, found[way], color)
        for name, way, color in (("", "usual", OURS), (_compiled(found), "compiled", ACCENT))
        if found[way]
    ]
    rows += [(f"token{name}", way["ms_per_token"], color) for name, way, color in ways]
    for name, way, color in ways:
        for question in ("first", "second"):
            value = 1e3 * way[f"{question}_question_seconds"]
            rows.append((f"{question} question{name}", value, color))
    axis.barh(range(len(rows)), [row[1] for row in rows], color=[row[2] for row in rows])
    for place, (_, value, _) in enumerate(rows):
        line = f"{value:,.{0 if value >= 100 else 1}f} ms"
        axis.annotate(line, (value, place), (5, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(rows)), [row[0] for row in rows])
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.margins(x=0.2)
    axis.set_title(f"{model['name']}: answers of 16 tokens, keep {found['keep']:g}")
    axis.set_xlabel("milliseconds; the first question begins with the file")


def _compiled(found: dict[str, Any]) -> str:
    """Returns how the second way is called: not by what had no effect."""
    none = found["compiled"] and found["compiled"]["not_compiled"]
    return ", asked for compiled" if none else ", compiled"


def _plans(axis: Any, planning: dict[str, Any] | None) -> None:
    if not planning:
        _nothing(axis, "Plans")
        return
    rows = planning["rows"]
    colors = [OURS if row["strategy"] == "temporal" else PEER for row in rows]
    axis.scatter([100 * row["share_of_encoding"] for row in rows], range(len(rows)), color=colors)
    axis.set_yticks(range(len(rows)), [row["strategy"] for row in rows], fontsize=8)
    axis.invert_yaxis()
    axis.set_xscale("log")
    for limit in (5, 25):
        axis.axvline(limit, color=ACCENT, linewidth=1)
    axis.set_title(f"Planning a quarter of {planning['tokens']:,} tokens")
    axis.set_xlabel(
        f"per cent of encoding {planning['frames']} frames by {planning['tower']}; lines: 5, 25 %"
    )


def _goals(axis: Any, goals: list[dict[str, Any]]) -> None:
    axis.axis("off")
    axis.set_title("Measured (asked); blue: reached, orange: not, marked x")
    for place, goal in enumerate(goals):
        mark = "x " if goal["met"] is False else ""
        line = f"{mark}{goal['name']}: {goal['measured']:.3g} ({goal['asked']})"
        height = 1 - (place + 0.5) / len(goals)
        color = {True: OURS, False: ACCENT, None: QUIET}[goal["met"]]
        axis.text(0, height, line, color=color, size=8, transform=axis.transAxes, va="center")
