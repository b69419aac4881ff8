"""Lines of several readers become one text in time order, in which nothing is told twice.

What is said may stand in subtitles that came with the video, in others that are burned into the
picture, and be heard by a speech recognizer. The best text is that of the subtitles, then what was
heard, then what was read; the place is that of the picture.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final

from framesift.readers.likeness import letters
from framesift.types.video import Region, TimedText

SOURCES: Final = ("subtitles", "speech", "screen")
"""Sources by how good their text is; those of others come last."""
LEAST_SHARED: Final = 0.8
"""Share of a line's letters that the better text has in their order."""
LEAST_RUN: Final = 3
"""Letters in a row that are more than chance."""
SHORT: Final = 6
"""Letters below which a line is left out only where the better one is the same as a whole."""
APART_SECONDS: Final = 1.0
"""How far the times of two readers may be apart: a frame a second is looked at."""
LONGER_SECONDS: Final = 2.0
"""How much longer a line on the picture may stay than the subtitles that it shows."""
MOST_COMPARED: Final = 32
"""Lines at one time beyond which a line is no part of them, but stands there all the while."""


def merged(readings: Sequence[Sequence[TimedText]]) -> tuple[TimedText, ...]:
    """Returns the lines of several readers in time order; at one time those of the first reader.

    A line that a better reader has at the same time is left out.
    """
    kept = [list(lines) for lines in readings]
    better = _Better()
    for number in sorted(range(len(kept)), key=lambda number: _rank(readings[number])):
        new = [line for line in kept[number] if not better.has(line)]
        kept[number] = new
        better.add(new)
    lines = (better.placed(line) for each in kept for line in each)
    return tuple(sorted(lines, key=lambda line: line.start_seconds))


class _Better:
    """Lines of the better readers, by time, and where on the picture they were found again."""

    def __init__(self) -> None:
        self._lines: list[TimedText] = []
        self._starts: list[float] = []
        self._longest = 0.0
        self._places: dict[int, list[Region]] = {}

    def add(self, lines: Sequence[TimedText]) -> None:
        """Takes in the lines of one more reader."""
        self._lines = sorted([*self._lines, *lines], key=lambda line: line.start_seconds)
        self._starts = [line.start_seconds for line in self._lines]
        self._longest = max((_seconds(line) for line in self._lines), default=0.0)

    def has(self, line: TimedText) -> bool:
        """Returns whether these lines say what another one says; its place is kept then."""
        near = self._near(line)
        if not near or len(near) > MOST_COMPARED or line.again_seconds:
            return False
        if line.box is None:
            return _is_part(line.text, " ".join(each.text for each in near))
        for each in near:
            as_long = _seconds(line) <= _seconds(each) + LONGER_SECONDS
            if as_long and _is_part(line.text, each.text):
                self._places.setdefault(id(each), []).append(line.box)
                return True
        return False

    def placed(self, line: TimedText) -> TimedText:
        """Returns a line with the place on the picture at which another reader found it."""
        places = self._places.get(id(line), [])
        if line.box is not None or not places:
            return line
        left, top, right, bottom = zip(*places, strict=True)
        return replace(line, box=(min(left), min(top), max(right), max(bottom)))

    def _near(self, line: TimedText) -> list[TimedText]:
        first = bisect_left(self._starts, line.start_seconds - APART_SECONDS - self._longest)
        last = bisect_right(self._starts, line.end_seconds + APART_SECONDS)
        from_seconds = line.start_seconds - APART_SECONDS
        return [each for each in self._lines[first:last] if each.end_seconds >= from_seconds]


def _is_part(text: str, better: str) -> bool:
    """Returns whether a text is a part of a better one, in which it may be misread."""
    part, whole = letters(text), letters(better)
    if len(part) < SHORT or part == whole:
        return part == whole
    if part in whole:
        return True
    blocks = SequenceMatcher(None, whole, part, autojunk=False).get_matching_blocks()
    shared = sum(block.size for block in blocks if block.size >= LEAST_RUN)
    return shared >= LEAST_SHARED * len(part)


def _rank(lines: Sequence[TimedText]) -> int:
    """Returns how good the text of a reader is, 0 for the best."""
    source = lines[0].source if lines else ""
    return SOURCES.index(source) if source in SOURCES else len(SOURCES)


def _seconds(line: TimedText) -> float:
    return line.end_seconds - line.start_seconds
