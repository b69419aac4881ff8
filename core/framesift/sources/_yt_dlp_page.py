"""Reads what yt-dlp says about a page: any field may be missing, or hold anything.

A field of another shape than yt-dlp documents counts as missing, so a site that changes its pages
costs a title or a chapter, not the video.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from framesift.sources.timed_text import FORMATS
from framesift.types.video import TimedText

Info = dict[str, Any]
LIVE: Final = ("is_live", "is_upcoming", "post_live")
MAX_CHAPTERS: Final = 10_000
_SECTION: Final = ("section_start", "section_end", "section_title", "section_number")


def number(value: object) -> float | None:
    """Returns a number that is not negative, None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if 0 <= converted < math.inf else None


def is_live(info: Info) -> bool:
    """Returns whether the page shows a stream that has not become a recording."""
    return bool(info.get("is_live")) or info.get("live_status") in LIVE


def title(info: Info) -> str | None:
    """Returns the title as one line."""
    given = info.get("title")
    return " ".join(given[:1000].split()) or None if isinstance(given, str) else None


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
    marks = []
    for chapter in given[:MAX_CHAPTERS] if isinstance(given, list) else ():
        if not isinstance(chapter, Mapping):
            continue
        start, end = number(chapter.get("start_time")), number(chapter.get("end_time"))
        if start is None or end is None or end < start:
            continue
        text = str(chapter.get("title") or "")[:1000]
        marks.append(TimedText(start_seconds=start, end_seconds=end, text=text))
    return tuple(marks)


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


def best_track(info: Info, language: str) -> Mapping[str, Any] | None:
    """Returns the subtitles by people, else the automatic captions, in the best readable format."""
    for kind in ("subtitles", "automatic_captions"):
        by_language = info.get(kind)
        if not isinstance(by_language, Mapping):
            continue
        for name in sorted(map(str, by_language), key=lambda name: (name != language, name)):
            if name != language and not name.startswith(f"{language}-"):
                continue
            if readable := list(_readable(by_language.get(name))):
                return min(readable, key=lambda track: FORMATS.index(track["ext"]))
    return None


def _readable(tracks: object) -> Iterator[Mapping[str, Any]]:
    for track in tracks if isinstance(tracks, list) else ():
        if not isinstance(track, Mapping) or track.get("ext") not in FORMATS:
            continue
        if isinstance(track.get("url"), str) or isinstance(track.get("data"), str):
            yield track
