"""Frames brought to the size that an encoder works on."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def resized(images: npt.NDArray[np.uint8], size_px: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Returns `images` `(T, H, W, 3)` at `size_px` `(H, W)`, squashed without cropping."""
    height, width = size_px
    if images.shape[1:3] == size_px:
        return images
    # Bilinear reads all pixels up to a factor of two, and is much faster than averaging.
    shrinks = images.shape[1] > 2 * height or images.shape[2] > 2 * width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    frames = [cv2.resize(image, (width, height), interpolation=interpolation) for image in images]
    return np.stack(frames).astype(np.uint8, copy=False)
