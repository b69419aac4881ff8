"""How much edge there is in each patch: high on small text and user interfaces."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

STRONG: Final = 10.0
"""Gradient in gray levels per pixel from which a pixel is part of an edge."""


def edge_density(images: npt.NDArray[np.uint8], grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Returns the share of edge pixels in each patch, `(T, N)` in [0, 1].

    A count of pixels, not a mean of gradients: the many thin strokes of a line of text outweigh the
    one strong outline of an object, and soft shading counts for nothing.

    Args:
        images: RGB pixels `(T, H, W, 3)`.
        grid: patch grid `(h, w)`.
    """
    return np.stack([_density(image, grid) for image in images])


def _density(image: npt.NDArray[np.uint8], grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    across, down = (cv2.Sobel(gray, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    strong = (cv2.magnitude(across, down) > STRONG).astype(np.float32)
    height, width = grid
    density = cv2.resize(strong, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(density, 0, 1).reshape(-1).astype(np.float32, copy=False)
