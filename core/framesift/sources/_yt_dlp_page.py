"""Reads what yt-dlp says about a page: any field may be missing, or hold anything.

A field of another shape than yt-dlp documents counts as missing, so a site that changes its pages
costs a title or a chapter, not the video.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from framesift.sources._facts import iso_date, line, lines, marks, number
from framesift.types.video import TimedText

Info = dict[str, Any]
LIVE: Final = ("is_live", "is_upcoming", "post_live")
_SECTION: Final = ("section_start", "section_end", "section_title", "section_number")


def is_live(info: Info) -> bool:
    """Returns whether the page shows a stream that has not become a recording."""
    return bool(info.get("is_live")) or info.get("live_status") in LIVE


def title(info: Info) -> str | None:
    """Returns the title as one line."""
    return line(info.get("title"))


def uploader(info: Info) -> str | None:
    """Returns who published the video, as one line."""
    names = ("uploader", "channel", "creator", "uploader_id")
    return next(filter(None, (line(info.get(name)) for name in names)), None)


def date(info: Info) -> str | None:
    """Returns the day of its upload, or else of its release, as YYYY-MM-DD."""
    for name in ("upload_date", "release_date"):
        if (day := iso_date(info.get(name))) is not None:
            return day
    seconds = number(info.get("timestamp"))
    with suppress(OverflowError, ValueError, OSError):
        return (seconds and datetime.fromtimestamp(seconds, UTC).date().isoformat()) or None
    return None


def description(info: Info) -> str | None:
    """Returns what the page says of the video."""
    return lines(info.get("description"))


def duration_seconds(info: Info) -> float | None:
    """Returns how long the whole video lasts, None if unknown or only of a clip."""
    return None if is_clip(info) else number(info.get("duration")) or None


def is_clip(info: Info) -> bool:
    """Returns whether the page is of a stretch of a longer video."""
    return any(info.get(name) for name in _SECTION[:2])


def part(info: Info) -> tuple[float, float] | None:
    """Returns the stretch that the page plays, None for all of the video."""
    for first, last in (_SECTION[:2], ("start_time", "end_time")):
        start, end = number(info.get(first)) or 0.0, number(info.get(last)) or math.inf
        if start < end and (start, end) != (0.0, math.inf):
            return start, end
    return None


def whole(info: Info) -> Info:
    """Returns the facts of a clip as those of its whole video, since that is downloaded."""
    return {name: value for name, value in info.items() if name not in _SECTION}


def chapters(info: Info) -> tuple[TimedText, ...]:
    """Returns the chapters that have a start and an end."""
    given = info.get("chapters")
    named = [each for each in (given if isinstance(given, list) else ()) if isinstance(each, dict)]
    return marks(
        (each.get("start_time"), each.get("end_time"), each.get("title")) for each in named
    )


def within(lines: Sequence[TimedText], info: Info, longest_seconds: float) -> tuple[TimedText, ...]:
    """Returns the subtitles that begin before the video ends, however long they claim to be.

    The last picture of a video stays as long as its subtitles do, so they must not make it longer
    than its page says, or than any video may be.
    """
    until = duration_seconds(info) or longest_seconds
    return tuple(
        replace(line, end_seconds=min(line.end_seconds, until))
        for line in lines
        if line.start_seconds < until
    )
