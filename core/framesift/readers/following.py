"""Follows lines of text over the frames in which they are read, so that each is told once.

A line that stays, moves or grows is one entry with a start and an end. One that comes back keeps
its first time, and the later stretches are told beside it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from framesift.readers._matching import (
    CERTAIN,
    MOSTLY,
    SAME_PLACE,
    Followed,
    Match,
    one_text,
    typed,
)
from framesift.readers._places import boxes_of, centre_within, common, covered, distance, moved
from framesift.readers.likeness import MOST_COMPARED, alike, differ_in_numbers, ends, faintly_alike
from framesift.readers.seen import SeenLine, Shift
from framesift.types.video import WHOLE, Region, TimedText


class LineFollower:
    """Makes entries of the lines of one video, frame by frame; it holds each line once."""

    def __init__(self) -> None:
        self._standing: list[Followed] = []
        self._entries: Final[list[Followed]] = []
        """All that ever stood, in the order in which they came."""
        self._by_ends: Final[dict[str, list[Followed]]] = {}
        """Those by either end of their text, so that one that comes back is found."""
        self._frame = -1
        self._seconds: Final = array("d")
        """Times of the frames."""

    @property
    def places(self) -> list[Region]:
        """Where lines stand now."""
        return [entry.place for entry in self._standing]

    @property
    def doubtful(self) -> list[Region]:
        """Where lines stand that came with the last frame and could hardly be read.

        They may have been caught while they were drawn, or faded in.
        """
        new = [entry for entry in self._standing if entry.changed == self._frame]
        return [entry.place for entry in new if entry.confidence < CERTAIN]

    def see(
        self,
        time_seconds: float,
        lines: Iterable[SeenLine],
        regions: Sequence[Region] = (WHOLE,),
        shifts: Sequence[Shift] = (),
    ) -> None:
        """Takes over what was read in the next frame.

        Args:
            time_seconds: of the frame.
            lines: what was read, in reading order.
            regions: what of the frame was read; lines elsewhere stay as they are.
            shifts: what moved since the frame before.
        """
        self._frame += 1
        self._seconds.append(time_seconds)
        for entry in list(self._standing):
            if entry.passing and self._frame - entry.passing[-1][1] > 1:
                self._part(entry)
        moving, left = self._move(shifts)
        share = covered(boxes_of(self.places), regions)
        read = [(e, part) for e, part in zip(self._standing, share, strict=True) if part > 0]
        # What left is gone as well, unless it is read somewhere else.
        certain = {id(entry) for entry, part in read if part >= MOSTLY} | left
        asked = {id(entry): entry for entry, _ in read} | moving
        match = Match(asked.values(), [line for line in lines if line.text.strip()], self._frame)
        match.at_the_same_place(one_text)
        match.beside()
        match.in_pieces(certain)
        match.at_the_same_place(typed)
        match.at_the_same_place(self._corrected)
        match.at_the_same_place(self._ticking)
        match.leave(certain)
        match.elsewhere()
        for entry in match.entries:
            self._end(self._part(entry), self._frame)
        for line in match.lines:
            self._begin(line, self._frame)

    def ended(self, time_seconds: float, source: str) -> tuple[TimedText, ...]:
        """Returns all lines by the time at which they came; those that stand end now."""
        self._frame += 1
        self._seconds.append(time_seconds)
        for entry in list(self._standing):
            self._end(self._part(entry), self._frame)
        told = [entry.told(source) for entry in self._entries]
        return tuple(sorted(told, key=lambda line: line.start_seconds))

    def _move(self, shifts: Sequence[Shift]) -> tuple[dict[int, Followed], set[int]]:
        """Returns the entries that moved, by identity, and which of them left by that.

        What moves twice in one frame was most likely taken for a part of its surroundings.
        """
        moving, left = dict[int, Followed](), set[int]()
        for shift in shifts:
            for entry in self._standing:
                if id(entry) not in moving and centre_within(entry.place, shift.region):
                    moving[id(entry)] = entry
                    entry.place = moved(entry.place, shift.by)
                    regions = shift.region, WHOLE
                    if not all(centre_within(entry.place, region) for region in regions):
                        left.add(id(entry))
        return moving, left

    def _corrected(self, entry: Followed, line: SeenLine) -> float:
        """Returns how like a line is to one of which one could hardly be read; 0 for other pairs.

        It is half out of the picture, or half drawn: in the frame before, or in this one.
        """
        was = entry.changed == self._frame - 1 and entry.confidence < CERTAIN
        is_better = line.confidence > entry.confidence
        hardly = was if is_better else line.confidence < CERTAIN
        return faintly_alike(entry.standing, line.text) if hardly else 0.0

    def _ticking(self, entry: Followed, line: SeenLine) -> float:
        """Returns 1 for a clock or a counter, which shows another number in each frame."""
        ticks = entry.changed == self._frame - 1 and differ_in_numbers(entry.standing, line.text)
        return float(ticks)

    def _part(self, entry: Followed) -> Followed:
        """Makes entries of the other texts that stood in the place of one; returns the last."""
        for line, came in entry.own_lines(self._frame):
            self._end(entry, came)
            place, changed = entry.place, entry.changed
            entry = self._begin(line, came)
            entry.place, entry.changed = place, changed
        entry.passing.clear()
        return entry

    def _begin(self, line: SeenLine, frame: int) -> Followed:
        entry, time_seconds = self._returned(line, frame), self._seconds[frame]
        if entry is None:
            entry = Followed(
                text=line.text,
                confidence=line.confidence,
                box=line.box,
                standing=line.text,
                place=line.box,
                since=time_seconds,
                changed=frame,
            )
            self._entries.append(entry)
        else:
            entry.since = time_seconds
            # One that was missed in a single frame did not go away.
            place = common(boxes_of([entry.place]), boxes_of([line.box]))
            if entry.gone == frame - 1 and place.item() >= SAME_PLACE:
                entry.since, _ = entry.stretches.pop()
            entry.gone = -1
            entry.read_again(line, frame)
        self._standing.append(entry)
        return entry

    def _returned(self, line: SeenLine, frame: int) -> Followed | None:
        """Returns the entry of a line that stood before, the one nearest to its place."""
        known = {id(e): e for end in ends(line.text) for e in self._latest(end)}
        before = [
            entry
            for entry in known.values()
            if 0 <= entry.gone < frame and alike(entry.text, line.text)
        ]
        return min(before, key=lambda entry: distance(entry.place, line.box), default=None)

    def _latest(self, end: str) -> list[Followed]:
        return self._by_ends.get(end, [])[-MOST_COMPARED:]

    def _end(self, entry: Followed, frame: int) -> None:
        self._standing.remove(entry)
        entry.stretches.append((entry.since, self._seconds[frame]))
        entry.gone = frame
        for end in ends(entry.text):
            known = self._by_ends.setdefault(end, [])
            if entry not in known:
                known.append(entry)
