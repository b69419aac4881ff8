"""Tables and picture of the pages on which strategy and which keep to take, from kept results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from framesift.evaluation.answers.statistics import OVERALL
from framesift.evaluation.curves.axes import BEST, COLORS, LOOK, name_ends
from framesift.evaluation.curves.palette import INK, PAPER, QUIET
from framesift.registry import require

KEEPS: Final = (0.5, 0.25, 0.1, 0.05)
WAYS: Final = (
    *("temporal", "sttm", "evs", "vidcom2", "scissor"),
    *("attention", "vision-zip", "fastv"),
    *("random", "uniform"),
)
"""Strategies that are compared: without signals, with those of a model, and what each must beat."""
DRAWN: Final = {"temporal": "o", "sttm": "D", "vision-zip": "P", "fastv": "^"} | {
    "random": "s",
    "uniform": "v",
}
"""Those that the picture has, with the marks that tell them apart without their colours."""
READING_WAYS: Final = (
    *("protect-text:share=0.8", "protect-text", "protect-edges", "temporal", "random", "uniform"),
)
HEIGHT_INCHES: Final = 9.4
PANEL: Final = 0.235
"""Share of the height that a panel of the picture takes."""
Shares = dict[tuple[str, float], tuple[float, list[float]]]
"""A share with its 95 % interval, by the strategy and what it keeps."""


def choosing_tables(results: Path) -> dict[str, str]:
    """Returns the tables by the names of their marks, such as `<!-- keep answers -->`."""
    reading = _read(results / "reading.json")["rows"]
    return {
        "keep answers": _table(_answers(results, "curves.json", "curves-changed.json"), WAYS),
        "keep glimpses": _table(_answers(results, "glimpses.json"), WAYS),
        "keep evidence": _table(_evidence(results), WAYS),
        "keep recordings": _table(_reading(reading, "recordings"), READING_WAYS),
        "keep pages": _table(_reading(reading, "pages"), READING_WAYS),
        "keep of temporal": _by_keep("temporal", panels(results)),
    }


def panels(results: Path) -> dict[str, Shares]:
    """Returns what helps to decide, by what it is called."""
    return {
        "evidence that is left in real clips": _evidence(results),
        "accuracy on synthetic questions": _answers(results, "curves.json", "curves-changed.json"),
        "accuracy on small things, seen for a moment": _answers(results, "glimpses.json"),
    }


def _answers(results: Path, *names: str) -> Shares:
    """Returns right answers of all questions; a later file takes the place of an earlier one."""
    return {
        (row["strategy"], row["keep"]): (row["share"], row["interval"])
        for name in names
        for row in _read(results / name)["rows"]
        if row["group"] == OVERALL
    }


def _evidence(results: Path) -> Shares:
    """Returns how much of the evidence in real clips the tokens that are left still hold."""
    shares: Shares = {}
    for row in _read(results / "benchmark.json")["sections"]["evidence"]["rows"]:
        if row["video"] == "tokens":
            way, keep = row["name"].rsplit(maxsplit=1)
            shares[way, float(keep)] = (row["share"], row["interval"])
    return shares


def _reading(rows: list[dict[str, Any]], group: str) -> Shares:
    """Returns how many words OCR still reads in one group of videos."""
    return {
        (row["way"], row["keep"]): (row["share"], row["interval"])
        for row in rows
        if row["group"] == group
    }


def _table(shares: Shares, ways: tuple[str, ...]) -> str:
    """Returns a Markdown table: a row for each strategy, a column for each share kept."""
    keeps = [keep for keep in KEEPS if any((way, keep) in shares for way in ways)]
    lines = ["| strategy | " + " | ".join(f"keep {keep:g}" for keep in keeps) + " |"]
    lines.append("|---" * (len(keeps) + 1) + "|")
    for way in ways:
        cells = [_cell(shares[way, keep]) for keep in keeps if (way, keep) in shares]
        if cells:
            lines.append(f"| `{way}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_keep(way: str, kinds: dict[str, Shares]) -> str:
    """Returns a Markdown table of one strategy: a row for each share kept."""
    lines = ["| keep | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for keep in KEEPS:
        found = [shares.get((way, keep)) for shares in kinds.values()]
        cells = ["" if measured is None else _cell(measured) for measured in found]
        lines.append(f"| {keep:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(measured: tuple[float, list[float]]) -> str:
    share, (least, most) = measured
    return f"{100 * share:.0f} % ({100 * least:.0f} to {100 * most:.0f})"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def figure(results: Path) -> Any:
    """Returns three panels of what is left over the tokens kept: what helps to decide."""
    colors = COLORS | {"fastv": BEST, "sttm": INK, "vision-zip": COLORS["attention"]}
    with require("matplotlib", extra="bench").rc_context(LOOK):
        drawn = require("matplotlib.figure", extra="bench").Figure(figsize=(8.6, HEIGHT_INCHES))
        for row, (title, shares) in enumerate(panels(results).items()):
            axis = drawn.add_axes((0.08, 0.72 - 0.325 * row, 0.76, PANEL))
            _panel(axis, shares, colors)
            axis.set_title(title[0].upper() + title[1:], size=14, pad=8)
    return drawn


def _panel(axis: Any, shares: Shares, colors: dict[str, str]) -> None:
    """Draws one line for each strategy, the share kept on even steps from left to right."""
    ends = {}
    for number, (way, mark) in enumerate(DRAWN.items()):
        rows = [row for row, keep in enumerate(KEEPS) if (way, keep) in shares]
        if not rows:
            continue
        points = [shares[way, KEEPS[row]] for row in rows]
        # Beside each other, so that upright intervals do not cover one another.
        places = [row + 0.03 * (number - len(DRAWN) / 2) for row in rows]
        for place, (_, (least, most)) in zip(places, points, strict=True):
            axis.plot([place, place], [100 * least, 100 * most], color=colors[way], alpha=0.45)
        heights = [100 * share for share, _ in points]
        look = {"color": colors[way], "linewidth": 2, "markersize": 7, "markeredgecolor": PAPER}
        axis.plot(places, heights, marker=mark, **look)
        ends[way] = (places[-1], heights[-1])
    axis.set_xticks(range(len(KEEPS)), [f"keep {keep:g}" for keep in KEEPS])
    axis.set_xlim(-0.3, len(KEEPS) - 0.75)
    axis.tick_params(labelsize=11)
    axis.set_ylim(0, 103)
    axis.set_ylabel("per cent; upright: 95 % interval", color=QUIET, size=10)
    name_ends(axis, ends, {way: colors[way] for way in ends}, HEIGHT_INCHES * PANEL)


def main() -> None:
    """Draws the picture of the folder named on the command line, beside its results."""
    results = Path(sys.argv[1])
    figure(results).savefig(results / "choosing.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
