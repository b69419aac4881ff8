"""The signal `contrast`: how far each patch departs from the picture's main colour, 0 if blank."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

DARK: Final = 24.0
"""Lightness, of 255, up to which a border of the picture may be a bar that it is shown within."""

Array = npt.NDArray[np.float32]


def contrast(cells: Array) -> Array:
    """Returns the largest departure of each patch's cells in any channel, `(N,)` in [0, 1].

    Black bars above and below the picture, or left and right of it, are not counted, so that a
    white flash within bars is as blank as one without.

    Args:
        cells: lightness and two colours of each cell from 0 to 255, `(N, C, 3)`, where the patches
            and their cells are squares.
    """
    grid, side = (round(count**0.5) for count in cells.shape[:2])
    image = cells.reshape(grid, grid, side, side, 3).transpose(4, 0, 2, 1, 3)
    image = image.reshape(3, grid * side, grid * side)
    rows, columns = _within_bars(image[0])
    inside = image[:, rows, columns]
    flat = inside.reshape(3, -1)
    middle = flat.shape[1] // 2
    ground = np.partition(flat, middle, axis=1)[:, middle, None, None]
    away = np.zeros(image.shape[1:], np.float32)
    away[rows, columns] = np.abs(inside - ground).max(0) / 255
    patches: Array = away.reshape(grid, side, grid, side).max((1, 3)).ravel()
    return patches


def _within_bars(lightness: Array) -> tuple[slice, slice]:
    """Returns the rows and columns between two bars of one width; all of them without bars."""
    dark = lightness <= DARK
    if not dark[0].all() and not dark[:, 0].all():
        return slice(None), slice(None)
    rows, columns = (_between(np.asarray(dark.all(axis))) for axis in (1, 0))
    # A picture within bars on all sides is one on a black ground.
    return (rows, slice(None)) if rows != slice(None) else (slice(None), columns)


def _between(dark: npt.NDArray[np.bool_]) -> slice:
    """Returns what lies between equally long runs at both ends, less a cell that holds an edge."""
    light = np.flatnonzero(~dark)
    if not len(light):
        return slice(None)
    before, behind = int(light[0]), len(dark) - 1 - int(light[-1])
    if not before or abs(before - behind) > 1 or before + behind + 4 > len(dark):
        return slice(None)
    return slice(before + 1, len(dark) - behind - 1)
