"""Parts of a frame in pixels: cells that changed become parts that hold whole lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Part = tuple[int, int, int, int]
"""Sides `(x0, y0, x1, y1)` of a part of a frame in pixels, the last ones not included."""
Box = Sequence[float]
"""Sides `(x0, y0, x1, y1)` of a line in pixels."""
Mask = npt.NDArray[np.bool_]
"""One bool per cell, `(h, w)`."""

Sides = npt.NDArray[np.int64]
"""Sides of parts, or of cells, `(N, 4)`."""

CELL_PX: Final = 8
"""Side of a cell."""
MARGIN_PX: Final = 4
"""What a part has around the lines in it."""
BESIDE: Final = 0.5
"""Distance from a line, in its heights, at which what is new may belong to it: a word further."""
IN_LINE: Final = 0.25
"""Share of a line's height that a change must reach into."""
LOOSE: Final = 1.1
"""How many times the area of two parts one around both may have, to be read instead of them."""
MOST_PARTS: Final = 64
"""Parts that are read one by one; more are joined."""


def tiles(changed: Mask) -> list[Part]:
    """Returns parts that hold all changed cells, as small ones as are worth reading one by one."""
    gap = 0
    while len(parts := groups(changed, gap + 1, gap)) > MOST_PARTS:
        gap = 2 * gap + 1
    return parts


def groups(changed: Mask, across: int, down: int) -> list[Part]:
    """Returns the parts that changed cells make, joined over gaps of a few cells.

    Args:
        changed: the cells.
        across: half of the cells between two parts of a row that are one.
        down: half of the cells between rows that are one part.
    """
    if not changed.any():
        return []
    joined = cv2.dilate(changed.astype(np.uint8), np.ones((2 * down + 1, across * 2 + 1), np.uint8))
    _, labels = cv2.connectedComponents(joined)
    rows, columns = changed.nonzero()
    cells = np.stack([columns, rows, columns + 1, rows + 1], axis=1)
    return _as_parts(_unions(cells, labels[rows, columns]) * CELL_PX)


def whole_lines(changed: Mask, lines: Sequence[Box], whole: Part) -> list[Part]:
    """Returns parts that hold all changed cells, and wholly each line of which a cell changed.

    They do not overlap. What changed right beside a line is read together with it.

    Args:
        changed: the cells.
        lines: where lines stand.
        whole: the frame.
    """
    boxes = np.array(lines, np.float64).reshape(-1, 4).clip(0, [*whole[2:], *whole[2:]])
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)]  # others left the frame
    touched = [seed for line in boxes if (seed := _with_beside(changed, line)) is not None]
    parts = _merged([_padded(part, whole) for part in [*tiles(changed), *touched]])
    while True:
        grown = _merged([_with_lines(part, boxes, whole) for part in parts])
        if grown == parts:
            return parts
        parts = grown


def _with_beside(changed: Mask, line: npt.NDArray[np.float64]) -> Box | None:
    """Returns a line with what changed beside it, None where nothing changed in its row."""
    x0, y0, x1, y1 = line.tolist()
    inner, near = IN_LINE * (y1 - y0), BESIDE * (y1 - y0)
    top, bottom = int(y0 + inner) // CELL_PX, int(y1 - inner) // CELL_PX
    first, last = max(0, int(x0 - near) // CELL_PX), int(x1 + near) // CELL_PX
    columns = np.flatnonzero(changed[max(0, top) : bottom + 1, first : last + 1].any(0)) + first
    if not len(columns):
        return None
    return min(x0, columns[0] * CELL_PX), y0, max(x1, (columns[-1] + 1) * CELL_PX), y1


def cells_of(part: Part, shape: tuple[int, ...]) -> Mask:
    """Returns the cells that a part reaches into."""
    mask = np.zeros(shape, np.bool_)
    x0, y0, x1, y1 = part
    mask[y0 // CELL_PX : -(-y1 // CELL_PX), x0 // CELL_PX : -(-x1 // CELL_PX)] = True
    return mask


def around(box: Box) -> Part:
    """Returns the whole pixels of a line."""
    x0, y0 = (max(0, int(side)) for side in box[:2])
    return x0, y0, max(x0, int(np.ceil(box[2]))), max(y0, int(np.ceil(box[3])))


def centre_in(line: Box, part: Part) -> bool:
    """Returns whether the middle of a line lies in a part."""
    x, y = (line[0] + line[2]) / 2, (line[1] + line[3]) / 2
    return part[0] <= x <= part[2] and part[1] <= y <= part[3]


def _padded(box: Box, whole: Part) -> Part:
    return (
        max(whole[0], int(box[0]) - MARGIN_PX),
        max(whole[1], int(box[1]) - MARGIN_PX),
        min(whole[2], int(np.ceil(box[2])) + MARGIN_PX),
        min(whole[3], int(np.ceil(box[3])) + MARGIN_PX),
    )


def _with_lines(part: Part, boxes: npt.NDArray[np.float64], whole: Part) -> Part:
    """Returns a part with all of the lines that its sides cut."""
    height = boxes[:, 3] - boxes[:, 1]
    down = np.minimum(boxes[:, 3], part[3]) - np.maximum(boxes[:, 1], part[1])
    across = np.minimum(boxes[:, 2], part[2]) - np.maximum(boxes[:, 0], part[0])
    cut = boxes[(down > IN_LINE * height) & (across > MARGIN_PX)]
    if not len(cut):
        return part
    return union(part, _padded([*cut[:, :2].min(0), *cut[:, 2:].max(0)], whole))


def _merged(parts: Sequence[Part]) -> list[Part]:
    """Returns parts that do not overlap, and none so close that one around both is as cheap."""
    sides = np.array(parts, np.int64).reshape(-1, 4)
    while True:
        labels = _joined(_is_one(sides))
        if len(np.unique(labels)) == len(sides):
            return sorted(_as_parts(sides), key=lambda each: (each[1], each[0]))
        sides = _unions(sides, labels)


def _is_one(sides: Sides) -> Mask:
    """Returns which parts are better read as one, bool `(N, N)`."""
    one, other = sides[:, None], sides[None]
    inner = np.minimum(one, other)[..., 2:] - np.maximum(one, other)[..., :2]
    outer = np.maximum(one, other)[..., 2:] - np.minimum(one, other)[..., :2]
    areas = (sides[:, 2:] - sides[:, :2]).prod(1)
    is_cheap = outer.prod(-1) <= LOOSE * (areas[:, None] + areas)
    return np.asarray((inner > 0).all(-1) | is_cheap)


def _joined(is_one: Mask) -> npt.NDArray[np.int64]:
    """Returns a number for each part, the same for those that are one over any others, `(N,)`."""
    labels = np.arange(len(is_one))
    while len(labels):
        least = np.where(is_one, labels, len(labels)).min(1)
        least = least[least]
        if (least == labels).all():
            break
        labels = least
    return labels


def _unions(sides: Sides, labels: npt.NDArray[Any]) -> Sides:
    """Returns what is around all that have the same label."""
    _, numbers = np.unique(labels, return_inverse=True)
    found = np.zeros((numbers.max() + 1, 4), np.int64)
    found[:, :2] = np.iinfo(np.int32).max
    np.minimum.at(found[:, :2], numbers, sides[:, :2])
    np.maximum.at(found[:, 2:], numbers, sides[:, 2:])
    return found


def _as_parts(sides: Sides) -> list[Part]:
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in sides.tolist()]


def overlap(one: Part, other: Part) -> bool:
    """Returns whether two parts have pixels in common."""
    across = min(one[2], other[2]) > max(one[0], other[0])
    return across and min(one[3], other[3]) > max(one[1], other[1])


def union(one: Part, other: Part) -> Part:
    """Returns the part around two."""
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def area(part: Part) -> int:
    """Returns how many pixels a part has."""
    return (part[2] - part[0]) * (part[3] - part[1])
