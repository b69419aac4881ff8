"""The tables of README, made from the registries so that they cannot go stale."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from framesift.registry import Registry, part_options

PLURALS = ("vlms", "strategies", "selectors", "encoders", "decoders", "sources")


def table(plural: str) -> str:
    """Returns a Markdown table of the parts of one registry."""
    registry: Registry[Any] = importlib.import_module(f"framesift.{plural}").registry
    rows = [_row(registry.kind, name, registry.get(name)) for name in registry.names()]
    lines = [f"| {' | '.join(cells)} |" for cells in (rows[0], *(row.values() for row in rows))]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def refreshed(text: str) -> str:
    """Returns a Markdown text with the table between each pair of marks made anew."""
    for plural in PLURALS:
        marks = f"<!-- {plural} -->", f"<!-- /{plural} -->"
        before, found, rest = text.partition(marks[0])
        if found:
            after = rest.partition(marks[1])[2]
            text = f"{before}{marks[0]}\n{table(plural)}\n{marks[1]}{after}"
    return text


def _row(kind: str, name: str, part: Any) -> dict[str, str]:
    """Returns the cells of one part by the heads of their columns."""
    signals = sorted(getattr(part, "needs", ())) or sorted(getattr(part, "gives", ()))
    cells = {
        kind: f"[`{name}`]({part.paper})" if getattr(part, "paper", None) else f"`{name}`",
        "what it does": part.summary.replace("|", r"\|"),
        "signals": ", ".join(signals),
        "options": ", ".join(f"`{option.name}`" for option in part_options(part)),
    }
    if kind == "strategy":
        cells["output"] = "merged" if part.merges else "kept"
        cells["cost"] = part.cost
    return cells


def main() -> None:
    """Refreshes the tables of the files named on the command line."""
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(refreshed(path.read_text()))


if __name__ == "__main__":
    main()
