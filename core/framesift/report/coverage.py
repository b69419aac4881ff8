"""How much of each patch a plan keeps, and frames with dropped patches dimmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.types.plan import TokenPlan
from framesift.types.video import Region

SHADE: Final = np.array([16.0, 21.0, 34.0], dtype=np.float32)
LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
DIMMED_CONTRAST: Final = 0.36
LINE_GREY: Final = 170.0
LINE_STRENGTH: Final = 0.16


def coverage(plan: TokenPlan, grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Returns the share of each patch that survives, in [0, 1], `(T, h, w)`.

    A token that is kept as it is has 1, a dropped one 0; a token merged with three others by equal
    weights has 1/4, so that the shares of a frame add up to the tokens it still owns.

    Raises:
        ValueError: `grid` does not hold the plan's tokens per frame.
    """
    rows, columns = grid
    if rows * columns != plan.tokens_per_frame:
        raise ValueError(
            f"grid={grid!r} must hold the plan's {plan.tokens_per_frame} tokens per frame; "
            "pass the grid of the tokens that the plan was made for"
        )
    rowwise = plan.normalized()
    shares = np.bincount(rowwise.src, weights=rowwise.weight, minlength=plan.num_in)
    return shares.clip(0, 1).astype(np.float32).reshape(-1, rows, columns)


def covered_pixels(
    shares: npt.NDArray[np.float32], views: Sequence[Region], size_px: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Returns the largest share of a patch that covers each pixel of a picture, `(H, W)`.

    Args:
        shares: share of each patch of each view that survives, `(T, h, w)`.
        views: the part of the picture that each of them covers.
        size_px: size `(H, W)` of the picture.
    """
    most = np.zeros(size_px, dtype=np.float32)
    for own, (x0, y0, x1, y1) in zip(shares, views, strict=True):
        rows, columns = (
            np.floor(((np.arange(pixels) + 0.5) / pixels - low) / (high - low) * count).astype(int)
            for pixels, low, high, count in (
                (size_px[0], y0, y1, own.shape[0]),
                (size_px[1], x0, x1, own.shape[1]),
            )
        )
        down = ((rows >= 0) & (rows < own.shape[0])).nonzero()[0]
        across = ((columns >= 0) & (columns < own.shape[1])).nonzero()[0]
        pixels = np.ix_(down, across)
        most[pixels] = np.maximum(most[pixels], own[np.ix_(rows[down], columns[across])])
    return most


def cells(plan: TokenPlan, grid: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Returns the output that each patch weighs most in, the earlier on a tie, `(T, h, w)`.

    It is -1 for a patch that was dropped. Patches of one output make a cell.
    """
    rowwise = plan.normalized()
    source, output = rowwise.src.numpy(), rowwise.dst.numpy()
    # Of several values for one place, the last one stays.
    order = np.lexsort((-output, rowwise.weight.numpy()))
    labels = np.full(plan.num_in, -1, dtype=np.int64)
    labels[source[order]] = output[order]
    return labels.reshape(-1, *grid)


def dimmed(
    image: npt.NDArray[np.uint8],
    shares: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint8]:
    """Returns `image` `(H, W, 3)` with patches of low share dark and grey, and cells drawn there.

    Args:
        image: RGB pixels.
        shares: share of each patch that survives, `(h, w)`.
        labels: the cell of each patch, -1 for none, `(h, w)`.
    """
    rows = _patch_of_pixel(image.shape[0], shares.shape[0])
    columns = _patch_of_pixel(image.shape[1], shares.shape[1])
    # Square roots spread small shares: a patch merged four to one still reads as half bright.
    light = np.sqrt(shares)[np.ix_(rows, columns)][..., None]
    grey = (image @ LUMA)[..., None]
    dark = SHADE + DIMMED_CONTRAST * grey
    dark += LINE_STRENGTH * (LINE_GREY - dark) * _lines(labels, rows, columns)[..., None]
    mixed: npt.NDArray[np.float32] = light * image + (1 - light) * dark
    return mixed.round().clip(0, 255).astype(np.uint8)


def _patch_of_pixel(pixels: int, patches: int) -> npt.NDArray[np.int64]:
    return np.arange(pixels) * patches // pixels


def _lines(
    labels: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Returns the pixels `(H, W)` at which a new cell begins, or a new patch that is in none."""
    across, down = (np.diff(patch, prepend=0) > 0 for patch in (rows, columns))
    above = (np.diff(labels, axis=0, prepend=-1) != 0) | (labels < 0)
    left = (np.diff(labels, axis=1, prepend=-1) != 0) | (labels < 0)
    pixels = np.ix_(rows, columns)
    lines: npt.NDArray[np.bool_] = above[pixels] & across[:, None] | left[pixels] & down[None, :]
    return lines
