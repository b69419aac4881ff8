"""How lines that were read off a video become text of a prompt, beside its pictures.

On the screen:
[00:00 - 00:04] Budget
Owner: Mira
[00:04 - 00:09] Roadmap

Said:
[00:02 - 00:03] Let us begin.

Who owns the topic 'Budget'?
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from framesift.types.clock import clock
from framesift.types.text import whole_characters
from framesift.types.video import TimedText

SHOWN, SAID = "On the screen:", "Said:"
"""What stands above lines of each kind."""
OF_VIDEO: Final = "Video {}. "
"""What stands before that where there are several videos."""
STRETCHES: Final = 3
"""Most stretches of a line that are named."""
GAP_SECONDS: Final = 1.0
"""Longest pause within which a line goes on, as long as no more of it is missing."""


def is_shown(line: TimedText) -> bool:
    """Returns whether a line stands on the screen; all others are said."""
    return line.box is not None


def written(lines: Sequence[TimedText], *, video: int | None = None) -> str:
    """Returns lines as a prompt has them: by kind, in time order, with the times of each group.

    Args:
        lines: of one video, in any order; those without letters are left out.
        video: its number, where there are several.
    """
    sections = []
    lead = "" if video is None else OF_VIDEO.format(video)
    for header, of_kind in ((SHOWN, True), (SAID, False)):
        own = [line for line in lines if is_shown(line) == of_kind and plain(line.text)]
        if own:
            sections.append("\n".join([lead + header, *_stamped(own)]))
    return "\n\n".join(sections)


def before_question(text: str) -> str:
    """Returns what stands in a prompt before the question, of lines as `written` gives them."""
    return f"{text}\n\n" if text else ""


def plain(text: str) -> str:
    """Returns a text as one line without control characters; its letters keep their order."""
    letters = (
        " " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter
        for letter in whole_characters(text)
    )
    return " ".join("".join(letters).split())


def distinct(lines: Iterable[TimedText]) -> tuple[TimedText, ...]:
    """Returns lines of one video in time order, each text once with all its times.

    What stands on the screen while it is said, as a subtitle does, is said.
    """
    found: dict[tuple[bool, str], TimedText] = {}
    for line in sorted(lines, key=lambda line: (line.start_seconds, line.end_seconds)):
        text = plain(line.text).casefold()
        if not text:
            continue
        key = is_shown(line), text
        found[key] = _joined(found[key], line) if key in found else line
    return tuple(
        line
        for (shown, text), line in found.items()
        if not (shown and (False, text) in found and _meet(line, found[False, text]))
    )


def within(
    lines: Iterable[TimedText], part_seconds: tuple[float, float] | None
) -> tuple[TimedText, ...]:
    """Returns the lines that stand, or begin, in a part of a video; None is all of it."""
    if part_seconds is None:
        return tuple(lines)
    first, last = part_seconds
    return tuple(
        line
        for line in lines
        if any(start < last and max(end, start + 1e-3) > first for start, end in line.stretches)
    )


def _joined(line: TimedText, again: TimedText) -> TimedText:
    """Returns a line with the times of the same line later."""
    spans: list[tuple[float, float]] = []
    for start, end in sorted([*line.stretches, *again.stretches]):
        if spans and start <= spans[-1][1] + GAP_SECONDS:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    (start, end), *others = spans
    return replace(line, start_seconds=start, end_seconds=end, again_seconds=tuple(others))


def _meet(line: TimedText, other: TimedText) -> bool:
    return any(a < d and c < b for a, b in line.stretches for c, d in other.stretches)


def _stamped(lines: Iterable[TimedText]) -> list[str]:
    """Returns lines in time order; those with the same times have them once, before the first."""
    found = []
    for times, own in groupby(sorted(lines, key=lambda line: line.stretches), key=_stamp):
        said = [
            plain(line.text if line.speaker is None else f"{line.speaker}: {line.text}")
            for line in own
        ]
        found += [f"{times} {said[0]}", *said[1:]]
    return found


def _stamp(line: TimedText) -> str:
    spans = [f"{clock(start)} - {clock(end)}" for start, end in line.stretches[:STRETCHES]]
    return f"[{', '.join(spans)}]"
