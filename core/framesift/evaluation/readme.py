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
    rows = [_row(name, registry.get(name)) for name in registry.names()]
    head = f"| {registry.kind} | what it does | signals | options |"
    return "\n".join([head, "|---|---|---|---|", *rows])


def refreshed(text: str) -> str:
    """Returns a Markdown text with the table between each pair of marks made anew."""
    for plural in PLURALS:
        marks = f"<!-- {plural} -->", f"<!-- /{plural} -->"
        before, found, rest = text.partition(marks[0])
        if found:
            after = rest.partition(marks[1])[2]
            text = f"{before}{marks[0]}\n{table(plural)}\n{marks[1]}{after}"
    return text


def _row(name: str, part: Any) -> str:
    label = f"[`{name}`]({part.paper})" if getattr(part, "paper", None) else f"`{name}`"
    signals = sorted(getattr(part, "needs", ())) or sorted(getattr(part, "gives", ()))
    options = [f"`{option.name}`" for option in part_options(part)]
    return f"| {label} | {part.summary} | {', '.join(signals)} | {', '.join(options)} |"


def main() -> None:
    """Refreshes the tables of the files named on the command line."""
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(refreshed(path.read_text()))


if __name__ == "__main__":
    main()
