"""Fits what pages and files say of a video: any of it may be missing, or hold anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Final

from framesift.types.text import whole_characters
from framesift.types.video import MAX_DESCRIPTION, TimedText

MAX_LINE: Final = 1000
"""Letters of a title or a name that are kept."""
MAX_CHAPTERS: Final = 10_000


def line(given: object) -> str | None:
    """Returns text as one line, None where there is no text."""
    if not isinstance(given, str):
        return None
    return whole_characters(" ".join(given[:MAX_LINE].split())) or None


def lines(given: object) -> str | None:
    """Returns text of at most `MAX_DESCRIPTION` letters, None where there is no text."""
    if not isinstance(given, str):
        return None
    return whole_characters(given[:MAX_DESCRIPTION].strip()) or None


def iso_date(given: object) -> str | None:
    """Returns YYYYMMDD, or a date with a time, as YYYY-MM-DD; None for anything else."""
    text = given[:40].strip() if isinstance(given, str) else ""
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        pass
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        return None


def number(value: object) -> float | None:
    """Returns a number that is not negative, None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if 0 <= converted < math.inf else None


def marks(given: Iterable[tuple[object, object, object]]) -> tuple[TimedText, ...]:
    """Returns the chapters, given as start, end and title, that have a start and an end."""
    return tuple(_marks(given))


def _marks(given: Iterable[tuple[object, object, object]]) -> Iterator[TimedText]:
    for place, (begin, finish, title) in enumerate(given):
        start, end = number(begin), number(finish)
        if place >= MAX_CHAPTERS:
            return
        if start is not None and end is not None and start <= end:
            text = line(title if isinstance(title, str) else str(title or ""))
            yield TimedText(start_seconds=start, end_seconds=end, text=text or "")
