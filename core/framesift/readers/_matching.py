"""Which lines of a frame are which of those that stood before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.readers._places import Boxes, boxes_of, common, distance, in_one_row
from framesift.readers.likeness import (
    MOST_COMPARED,
    alike,
    differ_in_numbers,
    ends,
    grown,
    holds,
    letters,
)
from framesift.readers.seen import SeenLine
from framesift.types.video import Region, TimedText

MOSTLY: Final = 0.5
"""Share of a line's box that must have been read again for its absence to count."""
SAME_PLACE: Final = 0.4
"""Share of the smaller box that two readings of one line have in common."""
LEAST_IN_PLACE: Final = 0.75
"""Share of letters that two readings of one line have in common, where it did not move."""
CERTAIN: Final = 0.9
"""Confidence from which on a line need not be looked at twice."""
WHOLE_LINE: Final = 0.7
"""Share of a line's height below which what is read in its place is a part that was cut off."""
LEAST_RUNNING: Final = 2
"""Numbers that follow another one, each seen in one frame alone, of which a clock is made."""
SAME_EDGE: Final = 0.02
"""Distance, in widths of the picture, of the edges at which two readings of one line begin."""


@dataclass(slots=True, kw_only=True, eq=False)
class Followed:
    """A line that is followed."""

    text: str
    """The best reading of it, and the longest."""
    confidence: float
    box: Region
    """Where it stood first."""
    standing: str
    """What was read of it last."""
    place: Region
    """Where it stands."""
    stretches: list[tuple[float, float]] = field(default_factory=list)
    """When it stood before."""
    since: float
    """When it came, this time."""
    changed: int
    """Number of the frame in which what stands there came."""
    gone: int = -1
    """Number of the frame in which it was not there any more."""
    passing: list[tuple[SeenLine, int]] = field(default_factory=list)
    """Other texts that stood in its place since, with the frames in which they came: a clock's
    numbers, or a line that could hardly be read. One that stays there is a line of its own."""

    def read_again(self, line: SeenLine, frame: int) -> None:
        """Takes over another reading of the line, which may be better or longer."""
        is_same = self.confidence < CERTAIN or alike(self.text, line.text) > 0
        if (is_same and line.confidence > self.confidence) or grown(self.text, line.text):
            self.text, self.confidence = line.text, line.confidence
        self._pass(line, frame)
        self.place = line.box
        if not alike(self.standing, line.text):
            self.changed = frame
        # What could hardly be read says nothing of what stands there.
        if line.confidence >= min(CERTAIN, self.confidence) or self._goes_on(line.text):
            self.standing = line.text

    def _pass(self, line: SeenLine, frame: int) -> None:
        """Holds a reading that is another text than this line, as long as it stands there."""
        heights = [box[3] - box[1] for box in (line.box, self.box)]
        is_cut = line.confidence < CERTAIN and heights[0] < WHOLE_LINE * heights[1]
        is_own = alike(self.text, line.text, LEAST_IN_PLACE) or grown(self.text, line.text)
        if is_cut or is_own or grown(line.text, self.text) or holds(self.text, line.text):
            self.passing.clear()
        elif not self.passing or not alike(self.passing[-1][0].text, line.text):
            self.passing.append((line, frame))
            del self.passing[LEAST_RUNNING:-1]

    def own_lines(self, frames: int) -> list[tuple[SeenLine, int]]:
        """Returns the other texts that are lines of their own, with the frames in which they came.

        The last is one where it stayed for a second frame. Other numbers are, unless they run.

        Args:
            frames: how many of the video were seen so far.
        """
        if not self.passing:
            return []
        stays = frames - self.passing[-1][1] > 1
        brief = self.passing[:-1] if stays else self.passing
        runs = len(brief) >= LEAST_RUNNING
        own = [(line, came) for line, came in brief if not runs and self._is_number(line)]
        return [*own, self.passing[-1]] if stays else own

    def _is_number(self, line: SeenLine) -> bool:
        """Returns whether a line is surely the same but for its numbers."""
        return line.confidence >= CERTAIN and differ_in_numbers(self.text, line.text)

    def _goes_on(self, text: str) -> bool:
        """Returns whether a text can come after the one that stands there, by its letters."""
        before = self.standing
        is_typed = grown(before, text) or grown(text, before)
        return is_typed or differ_in_numbers(before, text) or alike(before, text) > 0

    def told(self, source: str) -> TimedText:
        """Returns the entry as text with times."""
        (start, end), *again = self.stretches
        return TimedText(
            start_seconds=start,
            end_seconds=end,
            text=self.text,
            source=source,
            box=self.box,
            confidence=round(self.confidence, 4),
            again_seconds=tuple(again),
        )


class Match:
    """Finds which lines of a frame are which entries; what is left of both is new, or gone."""

    def __init__(self, entries: Iterable[Followed], lines: Iterable[SeenLine], frame: int) -> None:
        self.entries = list(entries)
        """Those that no line was found for so far."""
        self.lines = list(lines)
        """Those that are of no entry so far."""
        self._frame: Final = frame

    def at_the_same_place(self, likeness: Callable[[Followed, SeenLine], float]) -> None:
        """Matches lines with what stands in their places, the most alike first."""
        shares = common(*self._boxes())
        self._take(
            (likeness(self.entries[i], self.lines[j]), float(shares[i, j]), -i, -j)
            for i, j in zip(*(shares >= SAME_PLACE).nonzero(), strict=True)
        )

    def beside(self) -> None:
        """Matches lines with the same text less than a line away, where it was thought to be."""
        entries, lines = self._boxes()
        heights = (entries[:, 3] - entries[:, 1])[:, None]
        near = np.abs(entries[:, None, 1::2] - lines[None, :, 1::2]).max(-1) <= heights
        beside = np.abs(entries[:, None, ::2] - lines[None, :, ::2]).max(-1) <= SAME_EDGE
        self._take(
            (alike(self.entries[i].standing, self.lines[j].text), 0.0, -i, -j)
            for i, j in zip(*(near & beside).nonzero(), strict=True)
        )

    def leave(self, certain: set[int]) -> None:
        """Leaves alone what is not gone for sure, given the identities of what is."""
        self.entries = [entry for entry in self.entries if id(entry) in certain]

    def elsewhere(self) -> None:
        """Matches lines with what stood in another place, the nearest first."""
        numbers: dict[str, list[int]] = {}
        for j, line in enumerate(self.lines):
            for end in ends(line.text):
                numbers.setdefault(end, []).append(j)
        self._take(
            (
                alike(entry.standing, self.lines[j].text),
                -distance(entry.place, self.lines[j].box),
                -i,
                -j,
            )
            for i, entry in enumerate(self.entries)
            for j in {
                j for end in ends(entry.standing) for j in numbers.get(end, [])[:MOST_COMPARED]
            }
        )

    def in_pieces(self, certain: set[int]) -> None:
        """Matches a line that was one before and is read in several pieces now, and the reverse.

        Neither is news: which words are one line is a guess of whoever finds lines.

        Args:
            certain: identities of the entries whose place was read for the most part; of the others
                any piece is enough.
        """
        rows = in_one_row(*self._boxes())
        entries, lines = self.entries, self.lines
        whole, known = set[int](), set[int]()
        for i, entry in enumerate(entries):
            pieces = [j for j in _numbers(rows[i]) if holds(entry.standing, lines[j].text)]
            read = sum(len(letters(lines[j].text)) for j in pieces)
            if read >= (MOSTLY if id(entry) in certain else 0) * len(letters(entry.standing)):
                known.update(pieces)
                whole.update([i] if pieces else [])
        for j, line in enumerate(lines):
            pieces = [i for i in _numbers(rows[:, j]) if holds(line.text, entries[i].standing)]
            if len(pieces) > 1:
                whole.update(pieces)
                known.add(j)
        self.entries = [entry for i, entry in enumerate(entries) if i not in whole]
        self.lines = [line for j, line in enumerate(lines) if j not in known]

    def _take(self, pairs: Iterable[tuple[float, float, int, int]]) -> None:
        """Makes pairs of entries and lines, the best first, and each once."""
        entries, lines = set[int](), set[int]()
        for likeness, _, i, j in sorted(pairs, reverse=True):
            if likeness > 0 and -i not in entries and -j not in lines:
                self.entries[-i].read_again(self.lines[-j], self._frame)
                entries.add(-i)
                lines.add(-j)
        self.entries = [entry for i, entry in enumerate(self.entries) if i not in entries]
        self.lines = [line for j, line in enumerate(self.lines) if j not in lines]

    def _boxes(self) -> tuple[Boxes, Boxes]:
        places = [entry.place for entry in self.entries]
        return boxes_of(places), boxes_of([line.box for line in self.lines])


def one_text(entry: Followed, line: SeenLine) -> float:
    """Returns how like what stands is to a line in its place; 0 where they are two texts."""
    return alike(entry.standing, line.text, LEAST_IN_PLACE)


def typed(entry: Followed, line: SeenLine) -> float:
    """Returns 1 for a line to whose end something was added, or taken away, where it stood."""
    begins = abs(entry.place[0] - line.box[0]) <= SAME_EDGE
    ends_alike = abs(entry.place[2] - line.box[2]) <= SAME_EDGE
    before, after = entry.standing, line.text
    return float((begins or ends_alike) and (grown(before, after) or grown(after, before)))


def _numbers(row: npt.NDArray[np.bool_]) -> list[int]:
    found: list[int] = row.nonzero()[0].tolist()
    return found
