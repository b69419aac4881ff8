"""Lines of several readers become one text in time order."""

from __future__ import annotations

from collections.abc import Sequence

from framesift.types.video import TimedText


def merged(readings: Sequence[Sequence[TimedText]]) -> tuple[TimedText, ...]:
    """Returns the lines of several readers in time order; at one time those of the first reader."""
    lines = (line for reading in readings for line in reading)
    return tuple(sorted(lines, key=lambda line: line.start_seconds))
