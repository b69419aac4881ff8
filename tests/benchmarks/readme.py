"""The tables of pages, made from registries and results so that they cannot go stale."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.choosing import choosing_tables
from benchmarks.large_library import library_tables
from framesift.evaluation.answers.statistics import OVERALL
from framesift.registry import Registry

RESULTS = "examples/results"
"""Folder of kept results, in the root of the repository, where this is run."""
CATALOGUE = "catalogue"
CURVES = ("curves.json", "curves-changed.json")
"""Right answers of a full run, and of the strategies whose rule has changed since."""
AT_KEEP = 0.25
GLIMPSES = "glimpses.json"
"""Right answers about small things that are seen for a moment."""
GLIMPSES_KEEPS = (0.25, 0.1, 0.05)
Figures = dict[str, dict[str, str]]
PLURALS = (
    *("vlms", "strategies", "scorers", "selectors", "readers", "encoders", "decoders", "sources"),
)


def table(plural: str, figures: Figures) -> str:
    """Returns a Markdown table of the parts of one registry, with the figures of each by name."""
    registry: Registry[Any] = importlib.import_module(f"framesift.{plural}").registry
    rows = [
        _row(registry.kind, facts) | figures.get(facts["name"], {}) for facts in registry.facts()
    ]
    heads = list(dict.fromkeys(head for row in rows for head, cell in row.items() if cell))
    lines = [f"| {' | '.join(row.get(head, '') for head in heads)} |" for row in rows]
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines])


def refreshed(text: str, results: Path) -> str:
    """Returns a Markdown text with the table between each pair of marks made anew.

    Args:
        text: with marks such as `<!-- strategies -->`.
        results: folder of the results that strategies are shown with.
    """
    for name in PLURALS:
        if f"<!-- {name} -->" in text:
            figures = strategy_figures(results) if name == "strategies" else {}
            text = _filled(text, name, table(name, figures))
    if "<!-- keep " in text:
        for name, made in choosing_tables(results).items():
            text = _filled(text, name, made)
    if "<!-- library -->" in text:
        for name, made in library_tables(results):
            text = _filled(text, name, made)
    return text


def _filled(text: str, name: str, made: str) -> str:
    """Returns the text with a table between the marks of a name, where it has such."""
    marks = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, mark, rest = text.partition(marks[0])
    if not mark:
        return text
    return f"{before}{marks[0]}\n{made}\n{marks[1]}{rest.partition(marks[1])[2]}"


def strategy_figures(results: Path) -> Figures:
    """Returns what was measured of each strategy: its time, memory and right answers.

    The time is that of its least disturbed run.
    """
    measures: Figures = {}
    for row in _section(results, CATALOGUE).get("rows", ()):
        measures[row["name"]] = {
            "time": f"{min(row['runs_seconds']) * 1000:,.0f} ms",
            "memory": f"{row['peak_bytes'] / 1e6:,.0f} MB",
        }
    for path in (results / name for name in CURVES):
        for row in json.loads(path.read_text())["rows"] if path.is_file() else ():
            if row["group"] == OVERALL and row["keep"] == AT_KEEP:
                measures.setdefault(row["strategy"], {})["right"] = f"{row['share']:.0%}"
    for name, shares in _glimpses(results).items():
        measures.setdefault(name, {})["glimpses"] = shares
    return measures


def _glimpses(results: Path) -> dict[str, str]:
    """Returns the right answers of each strategy at `GLIMPSES_KEEPS`, such as '92, 90, 81%'."""
    path = results / GLIMPSES
    shares: dict[str, dict[float, float]] = {}
    for row in json.loads(path.read_text())["rows"] if path.is_file() else ():
        if row["group"] == OVERALL and row["keep"] in GLIMPSES_KEEPS:
            shares.setdefault(row["strategy"], {})[row["keep"]] = row["share"]
    return {
        name: ", ".join(f"{100 * own[keep]:.0f}" for keep in GLIMPSES_KEEPS) + "%"
        for name, own in shares.items()
        if len(own) == len(GLIMPSES_KEEPS)
    }


def _section(results: Path, name: str) -> dict[str, Any]:
    """Returns a section of the benchmark: of its full run, or of its own where that is later."""
    runs = [
        json.loads(path.read_text())
        for path in (results / "benchmark.json", results / f"benchmark-{name}.json")
        if path.is_file()
    ]
    found = [run for run in runs if name in run["sections"]]
    if not found:
        return {}
    section: dict[str, Any] = max(found, key=lambda run: str(run["made"]))["sections"][name]
    return section


def _row(kind: str, facts: dict[str, Any]) -> dict[str, str]:
    """Returns the cells of one part by the heads of their columns."""
    name, paper = facts["name"], facts.get("paper")
    cells = {
        kind: f"[`{name}`]({paper})" if paper else f"`{name}`",
        "what it does": facts["summary"].replace("|", r"\|"),
        "signals": ", ".join(facts.get("needs") or facts.get("gives") or ()),
    }
    if kind == "strategy":
        return cells | {"output": facts["output"], "cost": facts["cost"]}
    return cells | {"options": ", ".join(f"`{option}`" for option in facts["options"])}


def main() -> None:
    """Refreshes the tables of the files named on the command line."""
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(refreshed(path.read_text(), Path(RESULTS)))


if __name__ == "__main__":
    main()
