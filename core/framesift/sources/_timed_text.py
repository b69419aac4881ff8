"""Reads subtitles: WebVTT, SubRip and YouTube's json3 become `TimedText` in time order.

Automatic captions roll: each cue repeats the line above the new one. Lines that a cue carries over
from a cue it touches are dropped, so that every word is told once.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from framesift.types.video import TimedText

FORMATS: Final = ("json3", "vtt", "srt")
"""Formats that can be read, best first."""
TOUCHING_SECONDS: Final = 0.05

_CLOCK: Final = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING: Final = re.compile(rf"\s*{_CLOCK}\s+-->\s+{_CLOCK}")
_TAG: Final = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")

Cue = tuple[float, float, list[str]]


def parse_timed_text(text: str) -> tuple[TimedText, ...]:
    """Returns the spoken lines of a subtitle file, whichever of `FORMATS` it is in.

    Raises:
        ValueError: not a single cue was found.
    """
    text = text.lstrip("\ufeff \r\n\t")
    cues = list(_json3_cues(text) if text.startswith("{") else _block_cues(text))
    if not cues:
        raise ValueError(
            f"no cues found in {text[:40]!r}; subtitles must be WebVTT, SubRip or json3"
        )
    return tuple(_told_once(sorted(cues, key=lambda cue: cue[0])))


def _block_cues(text: str) -> Iterator[Cue]:
    """Yields the cues of WebVTT or SubRip: blocks with a timing line, parted by empty lines."""
    for block in re.split(r"\n\n+", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        timings = ((number, _TIMING.match(line)) for number, line in enumerate(lines))
        for number, timing in timings:
            if timing:
                clock = timing.groups()
                yield _seconds(clock[:4]), _seconds(clock[4:]), _plain(lines[number + 1 :])
                break


def _json3_cues(text: str) -> Iterator[Cue]:
    events: list[dict[str, Any]] = json.loads(text).get("events", [])
    timed = [event for event in events if _json3_text(event).strip()]
    starts = [event.get("tStartMs", 0) for event in timed]
    for event, start, following in zip(timed, starts, [*starts[1:], None], strict=True):
        end = start + event.get("dDurationMs", 0)
        if following is not None and following > start:
            end = min(end, following)
        yield start / 1000, end / 1000, _plain(_json3_text(event).split("\n"))


def _json3_text(event: dict[str, Any]) -> str:
    return "".join(part.get("utf8", "") for part in event.get("segs", []))


def _told_once(cues: list[Cue]) -> Iterator[TimedText]:
    told: TimedText | None = None
    shown: list[str] = []
    shown_until = float("-inf")
    for start, end, lines in cues:
        touches = start <= shown_until + TOUCHING_SECONDS
        fresh = [line for line in lines if not touches or line not in shown]
        shown, shown_until = lines, end
        if fresh:
            if told:
                yield told
            told = TimedText(start_seconds=start, end_seconds=end, text=" ".join(fresh))
        elif told and lines:
            told = TimedText(
                start_seconds=told.start_seconds,
                end_seconds=max(told.end_seconds, end),
                text=told.text,
            )
    if told:
        yield told


def _plain(lines: list[str]) -> list[str]:
    stripped = (" ".join(html.unescape(_TAG.sub("", line)).split()) for line in lines)
    return [line for line in stripped if line]


def _seconds(clock: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in clock)
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000
