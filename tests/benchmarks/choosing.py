"""The tables of the page on which strategy and which keep to take, made from kept results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from framesift.evaluation.answers.statistics import OVERALL

KEEPS: Final = (0.5, 0.25, 0.1, 0.05)
WAYS: Final = ("fastv", "scissor", "attention", "temporal", "chain", "random", "uniform")
"""Strategies that are compared on answers, those that need most first."""
EVIDENCE_WAYS: Final = ("scissor", "chain", "temporal", "random", "uniform")
"""Those of them that need no tower which shows its attention: real clips were measured without."""
READING_WAYS: Final = (
    *("protect-text:share=0.8", "protect-text", "protect-edges", "temporal", "random", "uniform"),
)
Shares = dict[tuple[str, float], tuple[float, list[float]]]
"""A share with its 95 % interval, by the strategy and what it keeps."""


def choosing_tables(results: Path) -> dict[str, str]:
    """Returns the tables by the names of their marks, such as `<!-- keep answers -->`."""
    reading = _read(results / "reading.json")["rows"]
    return {
        "keep answers": _table(_answers(results, "curves.json", "curves-changed.json"), WAYS),
        "keep glimpses": _table(_answers(results, "glimpses.json"), WAYS),
        "keep evidence": _table(_evidence(results), EVIDENCE_WAYS),
        "keep recordings": _table(_reading(reading, "recordings"), READING_WAYS),
        "keep pages": _table(_reading(reading, "pages"), READING_WAYS),
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
        cells = [_cell(shares[way, keep]) for keep in keeps]
        lines.append(f"| `{way}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(measured: tuple[float, list[float]]) -> str:
    share, (least, most) = measured
    return f"{100 * share:.0f} % ({100 * least:.0f} to {100 * most:.0f})"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
