"""Reads YouTube's json3 captions, which come from strangers and may be any JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from framesift.sources._markup import MAX_LINE, plain_line

MAX_EVENTS: Final = 200_000


def json3_cues(text: str) -> Iterator[tuple[float, float, list[str]]]:
    """Yields start, end and lines of each event that has text, the end no later than the next.

    Events that have not the shape of one are left out.

    Raises:
        ValueError: this is not JSON.
    """
    try:
        content = json.loads(text)
    except (RecursionError, ValueError) as error:
        reason = str(error).partition(";")[0] or "nested too deep"
        raise ValueError(f"they are not valid JSON: {reason[:80]}") from error
    events = content.get("events") if isinstance(content, dict) else None
    timed = list(_timed(events[:MAX_EVENTS] if isinstance(events, list) else []))
    starts = [start for start, _, _ in timed]
    following = [later for _, later in pairwise(starts)] + [math.inf]
    for (start, end, lines), begins in zip(timed, following, strict=False):
        yield start, min(end, begins) if begins > start else end, lines


def _timed(events: list[Any]) -> Iterator[tuple[float, float, list[str]]]:
    for event in events:
        if not isinstance(event, dict):
            continue
        start = _seconds(event.get("tStartMs", 0))
        lasts = _seconds(event.get("dDurationMs", 0))
        lines = [plain_line(line[:MAX_LINE], "json3") for line in _text(event).split("\n")]
        lines = [line for line in lines if line]
        if lines and start is not None:
            yield start, start + (lasts or 0.0), lines


def _text(event: dict[str, Any]) -> str:
    parts = event.get("segs")
    texts = (
        (part.get("utf8") for part in parts if isinstance(part, dict))
        if isinstance(parts, list)
        else ()
    )
    return "".join(text for text in texts if isinstance(text, str))


def _seconds(value: object) -> float | None:
    """Returns the seconds of milliseconds, also where they are written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value) / 1000
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None
