"""Reads subtitles: SubRip, WebVTT, ASS and YouTube's json3 become `TimedText` in time order.

pysubs2 reads SubRip, WebVTT and ASS. It takes any line with two times in it for the start of a cue,
drops a number at a cue's end, and its patterns for tags are slow on hostile lines; so it gets lines
of bounded length whose text holds no time, and tags are taken out here.

Automatic captions roll: each cue repeats the line above the new one. Lines that a cue carries over
from a cue it touches are dropped, so that every word occurs once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from pysubs2 import SSAFile
from pysubs2.exceptions import Pysubs2Error

from framesift.sources._json_captions import json3_cues
from framesift.sources._markup import MAX_LINE, plain_line
from framesift.types.video import TimedText, Warn

FORMATS: Final = ("json3", "vtt", "srt", "ass", "ssa")
"""Formats that can be read, best first."""
TOUCHING_SECONDS: Final = 0.05
MAX_BYTES: Final = 8 * 1024**2
MAX_SECONDS: Final = 99 * 3600.0
"""Cues that begin later are not about any video."""
MAX_CUES: Final = 200_000

_UNKNOWN: Final = "\ufffd"
_ARROW: Final = "-->"
_COLON: Final = "\ue000"
"""Stands for a colon in text that pysubs2 must not take for a time; for private use in Unicode."""
_STAMP: Final = re.compile(
    r"(-?)(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,9}))?(?![0-9])"
)
_NEWLINE: Final = re.compile(r"\r\n?")
_DIALOGUE: Final = "Dialogue:"

Cue = tuple[float, float, list[str]]


def parse_timed_text(content: str | bytes, warn: Warn | None = None) -> tuple[TimedText, ...]:
    """Returns the spoken lines of a subtitle file, whichever of `FORMATS` it is in.

    Args:
        content: of the file.
        warn: called where its letters had to be guessed.

    Raises:
        ValueError: not a single cue was found; the message says what was there instead.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"they hold {len(content)} bytes, more than {MAX_BYTES}")
    text = content if isinstance(content, str) else decoded(content, warn or (lambda _: None))
    text = _NEWLINE.sub("\n", text.replace("\0", "")).lstrip("\ufeff \n\t")
    try:
        cues = sorted(_fitting(_cues(text)), key=lambda cue: cue[0])
    except Pysubs2Error as error:
        raise ValueError(str(error)) from error
    if not cues:
        raise ValueError(
            f"no cues found in {text[:40]!r}; subtitles must be WebVTT, SubRip, ASS or json3"
        )
    return tuple(_without_repeats(cues))


def decoded(content: bytes, warn: Warn) -> str:
    """Returns the text of a subtitle file: Unicode by its mark, else UTF-8, else Windows-1252."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    zeros = content[:1000].count(0)
    if zeros > len(content[:1000]) // 4:
        return content.decode(
            "utf-16-le" if content[1:2] == b"\0" else "utf-16-be", errors="replace"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # Where some letters are UTF-8, the others are broken; where none are, it is no UTF-8.
        loose = content.decode("utf-8", errors="replace")
        if loose.replace("\ufffd", "").isascii():
            warn("they are not UTF-8 and were read as Windows-1252; save them as UTF-8")
            return content.decode("cp1252", errors="replace")
        warn(f"{loose.count(_UNKNOWN)} of their letters are not UTF-8; save them as UTF-8 again")
        return loose


def _cues(text: str) -> Iterable[Cue]:
    if text.startswith("{"):
        return json3_cues(text)
    if f"\n{_DIALOGUE}" in text or text.startswith(_DIALOGUE):
        lines = [line for line in text.split("\n") if line.startswith(_DIALOGUE)]
        return _events("\n".join(["[Events]", *_readable_events(lines)]), "ass")
    if text[:6] == "WEBVTT":
        return _events("\n".join(_blocks(text, ends_at_blank=True)), "vtt")
    return _events("\n".join(_blocks(text, ends_at_blank=False)), "srt")


def _events(text: str, form: str) -> Iterator[Cue]:
    """Yields the cues that pysubs2 finds in text that was made ready for it."""
    for event in SSAFile.from_string(text, format_=form, keep_html_tags=True):
        shown = event.text.replace(_COLON, ":")
        if form == "ass" and "\\p" in shown:
            continue  # a drawing
        breaks = shown.replace("\\n", "\\N").replace("\\h", " ") if form == "ass" else shown
        lines = (plain_line(line, form) for line in breaks.split("\\N"))
        yield event.start / 1000, event.end / 1000, [line for line in lines if line]


def _readable_events(lines: Iterable[str]) -> Iterator[str]:
    """Yields the dialogue lines of ASS whose times can be read."""
    for line in lines:
        fields = line[:MAX_LINE].split(",", 9)
        stamps = [_STAMP.fullmatch(time.strip()) for time in fields[1:3]]
        times = [_clock(stamp) for stamp in stamps if stamp]
        if len(fields) == 10 and len(times) == 2:
            yield ",".join([f"{_DIALOGUE} 0", *times, "", "", "0", "0", "0", "", fields[9]])


def _blocks(text: str, *, ends_at_blank: bool) -> Iterator[str]:
    """Yields the lines of SubRip or WebVTT in the one way that pysubs2 reads without loss.

    Each cue is a number, its times with hours, and its text, in which a colon is another letter.

    Args:
        text: of the file.
        ends_at_blank: whether a blank line ends a cue; what follows does not belong to it.
    """
    before: str | None = None
    inside = blank = False
    for line in (line[:MAX_LINE] for line in text.split("\n")):
        times = _times(line) if _ARROW in line else None
        if times:
            before = None if (before or "").strip().isdecimal() else before
            if before is not None and inside:
                yield before
            yield from ("", "0", times)
            before, inside, blank = None, True, False
            continue
        if before is not None and inside:
            yield before
        before = None
        if line.strip() or (ends_at_blank and line):
            before = line.replace(":", _COLON).replace("\\N", "\\ N")
            blank = False
        elif ends_at_blank:
            inside = False
        elif not blank:
            before, blank = "", True
    if before is not None and inside:
        yield before
    yield from ("", "0", "")


def _times(line: str) -> str | None:
    """Returns a cue's times as both formats write them, None for a line without them."""
    start, _, end = line.partition(_ARROW)
    first, last = _STAMP.fullmatch(start.strip()), _STAMP.match(end.strip())
    return f"{_clock(first)} {_ARROW} {_clock(last)}" if first and last else None


def _clock(stamp: re.Match[str]) -> str:
    sign, hours, minutes, seconds, fraction = stamp.groups()
    if sign or int(hours or 0) > 99:
        return "00:00:00.000" if sign else "99:59:59.999"
    thousandths = (fraction or "")[:3].ljust(3, "0")
    return f"{int(hours or 0):02d}:{int(minutes):02d}:{int(seconds):02d}.{thousandths}"


def _fitting(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Yields the cues that lie on a video's time line, none of them ending before it begins."""
    for number, (start, end, lines) in enumerate(cues):
        if number >= MAX_CUES:
            return
        if start <= MAX_SECONDS:
            start = max(start, 0.0)
            yield start, min(max(start, end), MAX_SECONDS), lines


def _without_repeats(cues: list[Cue]) -> Iterator[TimedText]:
    latest: TimedText | None = None
    shown: set[str] = set()
    shown_until = float("-inf")
    for start, end, lines in cues:
        touches = start <= shown_until + TOUCHING_SECONDS
        fresh = [line for line in lines if not touches or line not in shown]
        shown, shown_until = set(lines), end
        if fresh:
            if latest:
                yield latest
            latest = TimedText(start_seconds=start, end_seconds=end, text=" ".join(fresh))
        elif latest and lines:
            latest = replace(latest, end_seconds=max(latest.end_seconds, end))
    if latest:
        yield latest
