"""The figures of a run of ways to choose frames, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]


def result_lines(results: Row) -> list[str]:
    """Returns a table for each reader and scope, and the goals."""
    return list(_lines(results))


def _lines(results: Row) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for row in results["rows"]:
        table = row["reader"], row["scope"]
        if table in seen:
            continue
        seen.add(table)
        yield from _table(
            [one for one in results["rows"] if (one["reader"], one["scope"]) == table]
        )
        yield ""
    for goal in results["goals"]:
        if goal["reached"] is None:
            yield f"not measured  {goal['goal']}"
            continue
        word = "reached" if goal["reached"] else "MISSED"
        yield f"{word:<13} {goal['goal']}: {goal['gain']:+.1%}{_bounds(goal['interval'])}"


def _table(rows: list[Row]) -> Iterator[str]:
    lengths = sorted({row["candidates"] for row in rows})
    ways = list(dict.fromkeys(row["way"] for row in rows))
    width = max(map(len, ways))
    yield f"{rows[0]['reader']}, {rows[0]['scope']} questions: right answers, frames that show it"
    yield f"{'of':<{width}}  " + "  ".join(f"{length:>13}" for length in lengths) + "  seconds"
    for way in ways:
        own = {row["candidates"]: row for row in rows if row["way"] == way}
        cells = (
            f"{own[length]['right']:>6.1%} {own[length]['hit']:>6.1%}"
            if length in own
            else " " * 13
            for length in lengths
        )
        seconds = own[max(own)]["seconds_each"]
        yield f"{way:<{width}}  " + "  ".join(cells) + f"  {seconds:.3f}"


def _cell(row: Row | None) -> str:
    return " " * 13 if row is None else f"{row['right']:>6.1%} {row['hit']:>6.1%}"


def _bounds(interval: list[float] | None) -> str:
    if interval is None:
        return ""
    return f" ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"
