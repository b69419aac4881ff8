"""Which parts of a frame have to be read: those whose strokes changed since they were read.

Pixels are compared with those that were last *read*, so that slow changes add up. A change that is
the same all around, such as a row that is highlighted, changes no letter. What moved as a whole, as
a page that is scrolled, is followed, and only what came into view is left to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from framesift.readers._moving import MovedPart, after, by, moved_parts
from framesift.readers._parts import (
    CELL_PX,
    Box,
    Mask,
    Part,
    area,
    around,
    cells_of,
    centre_in,
    groups,
    overlap,
    whole_lines,
)
from framesift.readers._shifting import shift_between, shifted

Picture = npt.NDArray[np.uint8]
"""RGB pixels `(H, W, 3)`."""

GATE: Final = 12.0
"""Mean change of a quarter of a cell, in levels of 256, above which the cell changed."""
EVEN_PX: Final = 9
"""Side of the surroundings whose mean change is taken off."""
CUT: Final = 0.6
"""Share of changed cells above which the whole frame is read."""
FLAT: Final = 20
"""Levels between the darkest and the lightest pixel of a part that shows nothing."""
LEAST_MOVED: Final = 0.02
"""Share of the frame that must have changed before it is worth looking for what moved."""
MOST_MOVES: Final = 3
"""Parts that may each move in a way of its own, between two frames."""
MOST_SHIFTED_PX: Final = 2**15 - 1
"""Longest side of a frame that OpenCV can shift."""
BLURRED: Final = 2.0
"""How many times the change of strokes may be that moved by a part of a pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of the text of a frame since the one before."""

    read: tuple[Part, ...] = ()
    """Parts to read; no line reaches over their sides."""
    cleared: tuple[Part, ...] = ()
    """Parts in which nothing stands any more."""
    moved: tuple[MovedPart, ...] = ()
    """Parts that moved, before anything in them changed."""

    @property
    def read_px(self) -> int:
        """How many pixels are to be read."""
        return sum(map(area, self.read))


class ChangedParts:
    """Finds what has to be read in the frames of one video, one after the other."""

    def __init__(self, gate: float = GATE) -> None:
        """Begins a video.

        Args:
            gate: mean change of a quarter of a cell, in levels of 256, above which it is read.
        """
        self._gate: Final = gate
        self._seen: Picture | None = None
        """The frame as it was when each of its pixels was last read."""

    def next(self, picture: Picture, lines: Sequence[Box] = ()) -> Change:
        """Returns what changed in the next frame, and takes it for read.

        Args:
            picture: the frame; the first one, and one of another size, is read whole.
            lines: where lines stand so far, in pixels; one that changed is read as a whole.
        """
        whole = (0, 0, picture.shape[1], picture.shape[0])
        seen = self._seen
        if seen is None or seen.shape != picture.shape:
            self._seen = picture.copy()
            return Change(read=(whole,))
        changed = _changed(picture, seen, self._gate)
        moved, changed = self._follow(picture, seen, changed, lines)
        changed |= _left(lines, moved, changed.shape)
        if changed.mean() > CUT:
            self._seen = picture.copy()
            return Change(read=(whole,))
        parts = whole_lines(changed, [after(line, moved) for line in lines], whole)
        for x0, y0, x1, y1 in parts:
            seen[y0:y1, x0:x1] = picture[y0:y1, x0:x1]
        flat = [_is_flat(picture, part) for part in parts]
        return Change(
            read=tuple(part for part, empty in zip(parts, flat, strict=True) if not empty),
            cleared=tuple(part for part, empty in zip(parts, flat, strict=True) if empty),
            moved=tuple(moved),
        )

    def _follow(
        self, picture: Picture, seen: Picture, changed: Mask, lines: Sequence[Box]
    ) -> tuple[list[MovedPart], Mask]:
        """Returns what moved, and the cells that changed besides; what moved counts as read."""
        moved: list[MovedPart] = []
        if not len(lines) or max(picture.shape) > MOST_SHIFTED_PX:
            return moved, changed
        for _ in range(MOST_MOVES):
            if changed.mean() < LEAST_MOVED:
                break
            found, explained = self._moved(picture, seen, changed, lines)
            if not found:
                break
            moved += found
            lines = [after(line, found) for line in lines]
            _take_over(picture, seen, explained)
            changed = _changed(picture, seen, self._gate)
        return moved, changed

    def _moved(
        self, picture: Picture, seen: Picture, changed: Mask, lines: Sequence[Box]
    ) -> tuple[list[MovedPart], Mask]:
        """Returns parts that moved in one way, and the cells that this explains."""
        for x0, y0, x1, y1 in _candidates(changed):
            shift = shift_between(seen[y0:y1, x0:x1], picture[y0:y1, x0:x1])
            if shift is None:
                continue
            differs = _changed(picture, shifted(seen, *shift), BLURRED * self._gate)
            found, stayed = moved_parts(changed, differs, shift, lines)
            if found:
                cells = np.any([cells_of(each.part, changed.shape) for each in found], axis=0)
                for line in stayed:  # what became of them has to be read
                    cells &= ~cells_of(around(line), changed.shape)
                return found, changed & cells & ~differs
        return [], changed


def _changed(picture: Picture, before: Picture, gate: float) -> Mask:
    """Returns the cells whose strokes differ."""
    plain = cv2.absdiff(picture, before)
    cells = _largest_means(cv2.max(cv2.max(plain[..., 0], plain[..., 1]), plain[..., 2]))
    found = np.zeros(cells.shape, np.bool_)
    # Strokes differ by twice as much as pixels at most, and up to a cell beside those.
    for x0, y0, x1, y1 in groups(cells > gate / 2, *cells.shape[::-1]):
        top, left = max(0, y0 - CELL_PX), max(0, x0 - CELL_PX)
        rows, columns = slice(top, y1 + CELL_PX), slice(left, x1 + CELL_PX)
        signed = cv2.subtract(picture[rows, columns], before[rows, columns], dtype=cv2.CV_16S)
        signed = cv2.absdiff(signed, cv2.blur(signed, (EVEN_PX, EVEN_PX)))
        strokes = cv2.max(cv2.max(signed[..., 0], signed[..., 1]), signed[..., 2])
        part = _largest_means(strokes) > gate
        down, right = top // CELL_PX, left // CELL_PX
        found[down : down + part.shape[0], right : right + part.shape[1]] = part
    return found


def _left(lines: Sequence[Box], moved: Sequence[MovedPart], shape: tuple[int, ...]) -> Mask:
    """Returns the cells of lines that moved away from where nothing of their part came after them.

    What stands there now is another line, even where some of its letters look as those before.
    """
    left = np.zeros(shape, np.bool_)
    for each in moved:
        shift = each.right_px, each.down_px
        came = around(by(each.part, shift))
        for line in lines:
            stays = centre_in(line, came) or overlap(around(line), around(by(line, shift)))
            if centre_in(line, each.part) and not stays:
                left |= cells_of(around(line), shape)
        lines = [after(line, [each]) for line in lines]
    return left


def _largest_means(change: Any) -> npt.NDArray[np.float32]:
    """Returns the largest mean of the quarters of each cell; what is not there did not change."""
    sides = [-side % CELL_PX for side in change.shape]
    padded = cv2.copyMakeBorder(change, 0, sides[0], 0, sides[1], cv2.BORDER_CONSTANT, value=0)
    height, width = padded.shape
    size = width * 2 // CELL_PX, height * 2 // CELL_PX
    means = cv2.resize(padded.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(means.reshape(size[1] // 2, 2, size[0] // 2, 2).max((1, 3)), np.float32)


def _candidates(changed: Mask) -> list[Part]:
    """Returns parts that may have moved as a whole, the largest first, and then one around all."""
    found = [*groups(changed, 1, 4), *groups(changed, 4, 5)]
    near = sorted(set(found), key=area, reverse=True)[: 2 * MOST_MOVES]
    around = groups(changed, *changed.shape[::-1])
    return [*near, *(part for part in around if part not in near)]


def _take_over(picture: Picture, seen: Picture, cells: Mask) -> None:
    """Takes the pixels of cells for read."""
    pixels = cells.repeat(CELL_PX, 0).repeat(CELL_PX, 1)[: seen.shape[0], : seen.shape[1]]
    seen[pixels] = picture[pixels]


def _is_flat(picture: Picture, part: Part) -> bool:
    x0, y0, x1, y1 = part
    own = np.ascontiguousarray(picture[y0:y1, x0:x1])
    extremes = (cv2.minMaxLoc(channel)[:2] for channel in cv2.split(own))
    return max(largest - least for least, largest in extremes) <= FLAT
