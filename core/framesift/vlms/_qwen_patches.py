"""Frames as Qwen's towers take them: whole tokens, cut into patches over space and time."""

from __future__ import annotations

import math

from torch import Tensor


def fitted_px(height: int, width: int, *, factor: int, least: int, most: int) -> tuple[int, int]:
    """Returns the frame size `(H, W)` of whole tokens that is nearest to a picture's proportions.

    Args:
        height: of the picture in pixels.
        width: of the picture in pixels.
        factor: pixels on each side of a token.
        least: fewest tokens, at most `most`.
        most: most tokens.
    """
    rows, columns = max(1, round(height / factor)), max(1, round(width / factor))
    if rows * columns > most:
        shrink = math.sqrt(height * width / (most * factor**2))
        rows, columns = (max(1, math.floor(s / shrink / factor)) for s in (height, width))
    elif rows * columns < least:
        grow = math.sqrt(least * factor**2 / (height * width))
        rows, columns = (math.ceil(s * grow / factor) for s in (height, width))
    rows = min(rows, most)
    return rows * factor, min(columns, most // rows) * factor


def whole_px(
    height: int,
    width: int,
    *,
    factor: int,
    least_px: float,
    most_px: float,
    frames: int = 1,
    together: int | None = None,
) -> tuple[int, int]:
    """Returns the frame size `(H, W)` of whole tokens that the video processor of a family gives.

    Args:
        height: of the video in pixels.
        width: of the video in pixels.
        factor: pixels on each side of a token.
        least_px: fewest pixels of all frames that are counted.
        most_px: most pixels of them.
        frames: how many are counted, one where bounds hold for each frame.
        together: frames that make one time step, where all frames are counted.
    """
    if together is not None and min(height, width) < factor:
        scale = max(factor / height, factor / width)
        height, width = int(height * scale), int(width * scale)
    sides, step = (height, width), together or 1
    rows, columns = (round(side / factor) for side in sides)
    total = round(frames / step) * step * rows * columns * factor**2
    # Each root is taken as the processors do, since another order may round differently.
    if total > most_px:
        beta = math.sqrt(frames * height * width / most_px)
        rows, columns = (max(1, math.floor(side / beta / factor)) for side in sides)
    elif total < least_px:
        beta = math.sqrt(least_px / (frames * height * width))
        rows, columns = (math.ceil(side * beta / factor) for side in sides)
    return rows * factor, columns * factor


def patchify(
    pixels: Tensor, *, patch: int, merge: int, together: int
) -> tuple[Tensor, tuple[int, int, int]]:
    """Returns the patches that the tower takes, `(P, C * together * patch**2)`, and their grid.

    Patches that are merged to one token follow one another.

    Args:
        pixels: frames `(T, C, H, W)`, where `T` is a multiple of `together`, and `H` and `W` are
            multiples of `patch * merge`.
        patch: pixels on each side of a patch.
        merge: patches on each side of a token.
        together: frames that make one time step.
    """
    frames, channels, height, width = pixels.shape
    steps, rows, columns = frames // together, height // patch, width // patch
    cut = pixels.reshape(
        *(steps, together, channels),
        *(rows // merge, merge, patch),
        *(columns // merge, merge, patch),
    )
    ordered = cut.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return ordered.reshape(steps * rows * columns, -1), (steps, rows, columns)
