"""The signal `edge_density`: the fine strokes in each patch, many in text and user interfaces."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

DETAIL_PX: Final = 896
"""Frame side from which the strokes of small text are seen; finer is not worth decoding."""
CONTRAST: Final = 30
"""Gray levels by which a stroke differs from what is beside it."""


def edge_density(images: npt.NDArray[np.uint8], grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Returns the share of stroke pixels in each patch, `(T, N)` in [0, 1].

    A stroke is a line up to two pixels thin, darker or lighter than both of its sides (the
    black-hat and top-hat of mathematical morphology). Outlines of objects and soft texture, which a
    gradient would count, have only one such side.

    Args:
        images: RGB pixels `(T, H, W, 3)`, at the size at which they were decoded.
        grid: patch grid `(h, w)`.
    """
    return np.stack([_density(image, grid) for image in images])


def _density(image: npt.NDArray[np.uint8], grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    square = np.ones((3, 3), np.uint8)
    dark, light = (
        cv2.morphologyEx(gray, h, square) for h in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    strokes = (cv2.max(dark, light) > CONTRAST).astype(np.uint8)
    rows, columns = (
        np.linspace(0, size, parts + 1).round().astype(int)
        for size, parts in zip(gray.shape, grid, strict=True)
    )
    corners = cv2.integral(strokes)[np.ix_(rows, columns)]
    counts = np.diff(np.diff(corners, axis=0), axis=1)
    areas = np.outer(np.diff(rows), np.diff(columns)).clip(1)
    density: npt.NDArray[np.float32] = (counts / areas).reshape(-1).astype(np.float32)
    return density
