"""The results of a log of answers under bounds: figures for JSON, lines for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.log import AnswerLog, bound_words
from framesift.evaluation.answers.question_sets import SINGLE
from framesift.evaluation.answers.statistics import OVERALL
from framesift.evaluation.bounds.cliffs import HELD, cliffs
from framesift.evaluation.bounds.figures import MOVING, collected, gains, known_groups, rows
from framesift.evaluation.bounds.ways import FRAMES

Row = dict[str, Any]
SHOWN: Final = (OVERALL, MOVING, SINGLE)
"""Groups of questions whose differences and cliffs a terminal shows."""
WIDE: Final = 7
"""Letters of a column of per cents."""


def results(log: AnswerLog, against: Sequence[str] = ()) -> Row:
    """Returns the run, and rows, gains and cliffs of every way, JSON-safe.

    Args:
        log: with answers under at least one bound.
        against: ways that the others are compared with, beside `FRAMES`.

    Raises:
        InvalidOptionError: the log has no answers under a bound, or none of a way in `against`.
    """
    found = collected(log.answers)
    known = list(dict.fromkeys(own.way for own in found if own.bound is not None))
    if not known:
        raise InvalidOptionError("the log has no answers under a bound; draw one that has some")
    if missing := [way for way in against if way not in known]:
        raise InvalidOptionError(
            f"there are no answers of {missing[0]!r} to compare with; name one of "
            f"{', '.join(map(repr, known))}"
        )
    names = known_groups(log.answers)
    return {
        "run": log.run.model_dump(),
        "specs": {a.strategy: a.spec for a in log.answers if a.spec is not None},
        "rows": rows(found, names),
        "gains": gains(found, names, [FRAMES, *against]),
        "cliffs": cliffs(found, names),
    }


def as_json(figures: Row) -> bytes:
    """Returns `results` as a JSON file has them, each row on a line of its own."""
    parts = []
    for name, value in figures.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
        parts.append(f"{json.dumps(name)}: {text}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def result_lines(figures: Row) -> list[str]:
    """Returns what a terminal shows of `results`: tables for each bound, gains and cliffs."""
    return list(_lines(figures))


def _lines(figures: Row) -> Iterator[str]:
    bounds = sorted({r["bound"] for r in figures["rows"] if r["bound"] is not None}, reverse=True)
    for bound in bounds:
        own = [row for row in figures["rows"] if row["bound"] == bound]
        overall = [row for row in own if row["group"] == OVERALL]
        yield _head(bound, overall)
        yield from _table(overall)
        yield ""
        yield from _kinds(own)
        yield ""
        yield from _gain_table([row for row in figures["gains"] if row["bound"] == bound])
    yield from _levels(figures["rows"])
    yield from _cliff_lines(figures["cliffs"])


def _head(bound: float, overall: Sequence[Row]) -> str:
    held, videos = overall[0]["bound_videos"], overall[0]["videos"]
    allowed = overall[0]["allowed_tokens"]
    words = f"at most {bound_words(bound)}"
    if bound <= 1:
        words += f", {allowed:,.0f} a video on average"
    return words if held == videos else f"{words}; {held} of {videos} videos have more"


def _table(overall: Sequence[Row]) -> Iterator[str]:
    wide = max(len(row["way"]) for row in overall)
    columns = f"{'tokens':>8} {'most':>7} {'prompt':>8} {'compression':>11}"
    yield f"{'':<{wide}}  {'right':>13}  {columns}"
    for row in overall:
        less = "" if row["compression"] is None else f"{row['compression']:.1f}x"
        prompt = "" if row["prompt_tokens"] is None else f"{row['prompt_tokens']:,.1f}"
        yield (
            f"{row['way']:<{wide}}  {_share(row):>13}  {row['tokens']:>8,.1f} "
            f"{row['most_tokens']:>7,} {prompt:>8} {less:>11}"
        )


def _kinds(own: Sequence[Row]) -> Iterator[str]:
    """Yields shares in per cent, a line for each group of questions, a column for each way."""
    ways = list(dict.fromkeys(row["way"] for row in own))
    groups = list(dict.fromkeys(row["group"] for row in own))
    wide = max(map(len, groups))
    cells = {(row["way"], row["group"]): row for row in own}
    columns = [max(WIDE, len(way)) for way in ways]
    heads = (f"{way:>{column}}" for way, column in zip(ways, columns, strict=True))
    yield f"{'':<{wide}}  {'answers':>7}  " + "  ".join(heads)
    for group in groups:
        count = max(cells[way, group]["answers"] for way in ways if (way, group) in cells)
        shares = (
            f"{100 * cells[way, group]['share']:>{column}.1f}"
            if (way, group) in cells
            else f"{'-':>{column}}"
            for way, column in zip(ways, columns, strict=True)
        )
        yield f"{group:<{wide}}  {count:>7,}  " + "  ".join(shares)


def _levels(rows: Sequence[Row]) -> Iterator[str]:
    own = [row for row in rows if row["bound"] is None and row["group"] == OVERALL]
    parts = (f"{row['way']} {100 * row['share']:.1f} % ({row['tokens']:,.0f})" for row in own)
    yield f"without a bound (tokens): {', '.join(parts)}"


def _gain_table(gained: Sequence[Row]) -> Iterator[str]:
    """Yields differences in points, a line for each way and what it is compared with."""
    groups = [group for group in SHOWN if any(row["group"] == group for row in gained)]
    cells = {(f"{row['way']} - {row['against']}", row["group"]): _gain(row) for row in gained}
    names = list(dict.fromkeys(name for name, _ in cells))
    if not names:
        return
    wide = max(map(len, names))
    table = [[cells.get((name, group), "-") for group in groups] for name in names]
    columns = [max(map(len, column)) for column in zip(groups, *table, strict=True)]
    for name, line in zip(["", *names], [groups, *table], strict=True):
        padded = (f"{cell:<{column}}" for cell, column in zip(line, columns, strict=True))
        yield f"{name:<{wide}}  {'  '.join(padded)}".rstrip()
    yield ""


def _cliff_lines(found: Sequence[Row]) -> Iterator[str]:
    if found:
        yield ""
    for row in (row for group in SHOWN for row in found if row["group"] == group):
        kept = f"{row['group']}: {row['way']} holds {HELD:.0%} of what all tokens bring"
        if row["until"] is None:
            yield f"{kept} up to {row['measured_to']:.1f}x and beyond"
            continue
        yield f"{kept} until {row['until']:.1f}x{_span(row['interval'])}"


def _span(interval: Sequence[float | None] | None) -> str:
    if interval is None:
        return ""
    low, high = (("beyond" if at is None else f"{at:.1f}x") for at in interval)
    return f" ({low} to {high})"


def _share(row: Row) -> str:
    if row["interval"] is None:
        return f"{100 * row['share']:.1f} %"
    low, high = row["interval"]
    return f"{100 * row['share']:.1f} ±{50 * (high - low):4.1f} %"


def _gain(row: Row) -> str:
    """Returns a difference in points with its interval, marked where that leaves zero out."""
    words = f"{100 * row['gain']:+.1f}"
    if row["interval"] is not None:
        low, high = row["interval"]
        words += f" ({100 * low:+.1f} to {100 * high:+.1f})"
        words += "" if low <= 0 <= high else "*"
    if row["spread"] is not None:
        words += f" runs {', '.join(f'{100 * run:+.1f}' for run in row['runs'])}"
    return words
