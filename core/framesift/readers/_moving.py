"""Which lines moved in one way, and parts of the frame that hold these and no others."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from framesift.readers._parts import CELL_PX, Box, Mask, Part, around, centre_in, overlap, union

SAME: Final = 0.34
"""Share of a line's cells that may look different where it is thought to have moved to."""
LEAST_LETTERS: Final = 3.0
"""Width of all lines that moved, in their heights, that is not chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedPart:
    """A part of the frame whose content stood elsewhere in it before."""

    part: Part
    """Where it moves: what leaves this is not seen any more."""
    right_px: float
    down_px: float


def after(line: Box, moved: Sequence[MovedPart]) -> Box:
    """Returns where a line stands after parts moved, one after the other."""
    for each in moved:
        if centre_in(line, each.part):
            line = by(line, (each.right_px, each.down_px))
    return line


def moved_parts(
    changed: Mask, differs: Mask, shift: tuple[float, float], lines: Sequence[Box]
) -> tuple[list[MovedPart], list[Box]]:
    """Returns parts in which all lines moved or left, and the lines that changed otherwise.

    Args:
        changed: cells that do not look as they did.
        differs: cells that do not look as if all had moved.
        shift: how far, to the right and down.
        lines: where lines stood.
    """
    touched = [line for line in lines if _share(changed, line) > 0]
    along = [line for line in touched if _is_at(changed, differs, by(line, shift))]
    parts: list[Part] = []
    for group in _without_others(along, lines, shift):
        part = _around_all(group, shift)
        if _is_enough(group) and not any(overlap(part, other) for other in parts):
            parts.append(part)
    stayed = [line for line in touched if not any(centre_in(line, part) for part in parts)]
    found = [MovedPart(part=part, right_px=shift[0], down_px=shift[1]) for part in parts]
    return found, stayed


def _without_others(
    along: Sequence[Box], lines: Sequence[Box], shift: tuple[float, float]
) -> Iterator[list[Box]]:
    """Yields groups of lines that moved, such that none in between stayed where it was."""
    left = [list(along)] if along else []
    while left:
        group = left.pop()
        part = _around_all(group, shift)
        own = set(map(tuple, along))
        other = next((line for line in lines if _stays(line, part, shift, own)), None)
        if other is None:
            yield group
            continue
        x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
        sides: list[list[Box]] = [[], [], [], []]
        for line in group:
            x0, y0, x1, y1 = _around_all([line], shift)
            for side, is_there in zip(sides, (y1 < y, y0 > y, x1 < x, x0 > x), strict=True):
                if is_there:
                    side.append(line)
                    break
        left += [side for side in sides if side]


def _stays(
    line: Box, part: Part, shift: tuple[float, float], along: set[tuple[float, ...]]
) -> bool:
    """Returns whether a line would be taken along by a part although it did not move with it."""
    is_inside = centre_in(line, part) and tuple(line) not in along
    return is_inside and centre_in(by(line, shift), part)


def _around_all(lines: Sequence[Box], shift: tuple[float, float]) -> Part:
    """Returns the part around lines where they stood and where they stand."""
    return functools.reduce(
        union, (around(place) for line in lines for place in (line, by(line, shift)))
    )


def _is_at(changed: Mask, differs: Mask, line: Box) -> bool:
    """Returns whether a line stands in a place that it did not stand in before."""
    height, width = (side * CELL_PX for side in changed.shape)
    is_inside = line[0] >= 0 and line[1] >= 0 and line[2] <= width and line[3] <= height
    return is_inside and _share(changed, line) > 0 and _share(differs, line) <= SAME


def _share(cells: Mask, line: Box) -> float:
    """Returns which share of a line's cells is set."""
    x0, y0, x1, y1 = (max(0, int(side) // CELL_PX) for side in line)
    own = cells[y0 : y1 + 1, x0 : x1 + 1]
    return float(own.mean()) if own.size else 0.0


def _is_enough(lines: Sequence[Box]) -> bool:
    return sum((line[2] - line[0]) / max(1.0, line[3] - line[1]) for line in lines) >= LEAST_LETTERS


def by(line: Box, shift: tuple[float, float]) -> Box:
    x0, y0, x1, y1 = line
    return x0 + shift[0], y0 + shift[1], x1 + shift[0], y1 + shift[1]
