"""How the boxes of lines lie to each other, all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.types.video import Region

Boxes = npt.NDArray[np.float64]
"""Sides `(x0, y0, x1, y1)`, `(N, 4)`, or what is computed of them."""
SAME_ROW: Final = 0.5
"""Share of the lower line's height that two lines in one row have in common."""


def boxes_of(regions: Sequence[Region]) -> Boxes:
    """Returns regions as `(N, 4)`."""
    return np.array(regions, np.float64).reshape(-1, 4)


def moved(box: Region, by: tuple[float, float]) -> Region:
    """Returns a box that is shifted by `(x, y)`."""
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]


def centre_within(box: Region, region: Region) -> bool:
    """Returns whether the middle of a box lies in a region."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return region[0] <= x <= region[2] and region[1] <= y <= region[3]


def distance(one: Region, other: Region) -> float:
    """Returns how far the middles of two boxes are apart, in sizes of the picture."""
    return math.dist(
        ((one[0] + one[2]) / 2, (one[1] + one[3]) / 2),
        ((other[0] + other[2]) / 2, (other[1] + other[3]) / 2),
    )


def common(ones: Boxes, others: Boxes) -> Boxes:
    """Returns the share of the smaller box that two have in common, `(N, M)`.

    Boxes of which one is far higher than the other, as of two sizes of text, share nothing.
    """
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)
    smaller = np.minimum(_areas(ones)[:, None], _areas(others)[None])
    return np.asarray(shared / np.maximum(smaller, 1e-12))


def in_one_row(ones: Boxes, others: Boxes) -> npt.NDArray[np.bool_]:
    """Returns which boxes are of one row of text and touch, bool `(N, M)`."""
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    heights = np.minimum(_heights(ones)[:, None], _heights(others)[None])
    down = (high - low)[..., 1] >= SAME_ROW * heights
    return np.asarray(down & ((high - low)[..., 0] > 0))


def covered(boxes: Boxes, regions: Sequence[Region]) -> Boxes:
    """Returns the largest share of each box that one of the regions covers, `(N,)`."""
    if not len(regions) or not len(boxes):
        return np.zeros(len(boxes))
    others = boxes_of(regions)
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)
    return np.asarray((shared / np.maximum(_areas(boxes), 1e-12)[:, None]).max(1))


def _areas(boxes: Boxes) -> Boxes:
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))


def _heights(boxes: Boxes) -> Boxes:
    return np.asarray(boxes[:, 3] - boxes[:, 1])
