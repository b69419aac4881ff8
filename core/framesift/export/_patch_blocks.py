"""Frames in blocks of 2 x 2 patches: their pixels, how much they changed, which units they show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from framesift.errors import InvalidOptionError
from framesift.types.frames import Frames

BLOCK: Final = 2
"""Rows and columns of patches of a block, which the model merges to one token."""
LUMA: Final = (77, 150, 29)
"""Shares of red, green and blue in the brightness, of 256: whole numbers give exact scores."""
WHOLE_PICTURE: Final = (0.0, 0.0, 1.0, 1.0)
AT_ONCE: Final = 16
"""Frames that are scaled, or compared, at once."""


def scaled(frames: Frames, patch_px: int, max_pixels: int) -> Tensor:
    """Returns frames uint8 `(T, 3, H, W)` of whole blocks, as large as `max_pixels` allows."""
    side = BLOCK * patch_px
    height, width = frames.data.shape[1:3]
    if max_pixels < side * side:
        raise InvalidOptionError(
            f"max_pixels={max_pixels!r} is less than one block of {side} x {side} pixels; give more"
        )
    scale = math.sqrt(max_pixels / (height * width))
    rows, columns = (max(1, int(length * scale / side)) for length in (height, width))
    rows, columns = min(rows, max_pixels // side**2), min(columns, max_pixels // side**2)
    size = rows * side, columns * side
    pixels = torch.from_numpy(np.ascontiguousarray(frames.data)).movedim(-1, 1)
    if size == (height, width):
        return pixels
    parts = [
        torch.nn.functional.interpolate(part, size=size, mode="bicubic", antialias=True)
        for part in pixels.split(AT_ONCE)
    ]
    return torch.cat(parts)


def changes(pixels: Tensor, blocks: tuple[int, int]) -> Tensor:
    """Returns how much the brightness of each block changed, int64 `(T, h, w)`, the first not."""
    scores = torch.zeros((len(pixels), *blocks), dtype=torch.int64)
    shares = torch.tensor(LUMA, dtype=torch.int32).view(3, 1, 1)
    before = pixels[:1]
    for first in range(0, len(pixels), AT_ONCE):
        part = torch.cat([before, pixels[first : first + AT_ONCE]])
        luma = (part.int() * shares).sum(dim=1) >> 8
        change = luma.diff(dim=0).abs()
        change = change.unflatten(2, (blocks[1], -1)).unflatten(1, (blocks[0], -1))
        scores[first : first + AT_ONCE] = change.sum(dim=(2, 4))
        before = part[-1:]
    return scores


def in_blocks(
    selected: Tensor,
    grid: tuple[int, int] | None,
    region: tuple[float, float, float, float],
    count: int,
    blocks: tuple[int, int],
) -> Tensor:
    """Returns which blocks overlap a selected unit, bool `(T, h, w)`."""
    selected = torch.as_tensor(selected)
    if selected.dtype != torch.bool or selected.ndim != 2 or len(selected) != count:
        raise InvalidOptionError(
            f"selected {selected.dtype} {tuple(selected.shape)} must be bool (T, N), a row for "
            f"each of the {count} frames"
        )
    if grid is None or grid[0] * grid[1] != selected.shape[1]:
        raise InvalidOptionError(
            f"grid={grid!r} must be the rows and columns of the {selected.shape[1]} units of each "
            "frame"
        )
    units = selected.cpu().view(count, *grid)
    x0, y0, x1, y1 = _part(region)
    rows = _spans(blocks[0], grid[0], y0, y1)
    columns = _spans(blocks[1], grid[1], x0, x1)
    units = torch.stack([units[:, start:end].any(dim=1) for start, end in rows], dim=1)
    return torch.stack([units[:, :, start:end].any(dim=2) for start, end in columns], dim=2)


def _part(region: Sequence[float]) -> Sequence[float]:
    """Returns a part (x0, y0, x1, y1) of a picture.

    Raises:
        InvalidOptionError: it is none.
    """
    if len(region) == len(WHOLE_PICTURE):
        x0, y0, x1, y1 = region
        if 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1:
            return region
    raise InvalidOptionError(
        f"region={region!r} must be the left, top, right and bottom edge of a part of the "
        f"picture, from 0 to 1; {WHOLE_PICTURE} is all of it"
    )


def _spans(count: int, units: int, start: float, end: float) -> list[tuple[int, int]]:
    """Returns the units that each block overlaps along one side, the nearest one beyond them."""
    spans = []
    for block in range(count):
        edges = [(edge / count - start) / (end - start) * units for edge in (block, block + 1)]
        first = min(max(math.floor(edges[0] + 1e-6), 0), units - 1)
        spans.append((first, max(first + 1, min(math.ceil(edges[1] - 1e-6), units))))
    return spans
