"""What is asked of a trained selector, and whether a run shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from framesift.evaluation.selection.figures import as_of
from framesift.evaluation.selection.ways import (
    KEYFRAMES,
    NOVELTY,
    SIMILARITY,
    TWICE,
    UNIFORM,
)

LENGTH: Final = 32
"""Candidates at which most is asked."""
LEAST_GAIN: Final = 0.1
MANY: Final = 128

Row = dict[str, Any]


def goals(differences: Sequence[Row], routed: Sequence[Row], readers: Sequence[str]) -> list[Row]:
    """Returns each goal with its figure, and whether it is reached; None where it was not measured.

    Args:
        differences: of the trained way to the others, as `figures.differences` returns them.
        routed: of the routed way to the others.
        readers: names of the readers, the main one first.
    """
    return list(_goals(differences, routed, readers))


def _goals(
    differences: Sequence[Row], routed: Sequence[Row], readers: Sequence[str]
) -> Iterator[Row]:
    main = readers[0]
    gain = _gain(differences, main, "local", LENGTH, UNIFORM)
    yield _goal(f"at least {LEAST_GAIN:.0%} above uniform at {LENGTH}", gain, LEAST_GAIN)
    for other in (SIMILARITY, NOVELTY, KEYFRAMES):
        free = _gain(differences, main, "local", LENGTH, other)
        # More than chance: the interval must lie above zero, and one video has none.
        bounds = None if free is None else free["gain_interval"]
        reached = None if bounds is None else bounds[0] > 0
        yield {**_goal(f"above {other} at {LENGTH}", free, 0.0), "reached": reached}
    twice = _gain(differences, main, "local", LENGTH, TWICE)
    yield _goal(f"as good as twice as many uniform ones at {LENGTH}", twice, 0.0)
    many = _gain(differences, main, "local", MANY, UNIFORM)
    more = None if gain is None else gain["gain"]
    yield _goal(f"a larger gap to uniform at {MANY} than at {LENGTH}", many, more)
    for reader in readers[1:]:
        for length in (LENGTH, MANY):
            found = _gain(differences, reader, "local", length, UNIFORM)
            yield _goal(f"above uniform at {length} for reader {reader}", found, LEAST_GAIN)
    for length in (LENGTH, MANY):
        whole = _gain(routed, main, "global", length, UNIFORM)
        yield _goal(f"routed, as good as uniform on global questions at {length}", whole, 0.0)


def _gain(
    differences: Sequence[Row], reader: str, scope: str, length: int, other: str
) -> Row | None:
    return as_of(differences, reader, scope, length, other)


def _goal(words: str, row: Row | None, least: float | None) -> Row:
    known = row is not None and least is not None
    return {
        "goal": words,
        "gain": row["gain"] if row else None,
        "interval": row["gain_interval"] if row else None,
        "reached": row["gain"] >= least if known and row else None,
    }
