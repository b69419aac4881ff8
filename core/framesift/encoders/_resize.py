"""Frames brought to the size that an encoder works on."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate


def resized(images: npt.NDArray[np.uint8], size_px: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Returns `images` `(T, H, W, 3)` at `size_px` `(H, W)`, squashed without cropping.

    They go to the nearest whole multiple of the size first, for averaging whole pixels is exact and
    ten times as fast.
    """
    if images.shape[1:3] == size_px:
        return images
    whole = _whole_multiple(images.shape[1:3], size_px)
    near = (cv2.resize(image, whole[::-1], interpolation=cv2.INTER_LINEAR) for image in images)
    frames = [cv2.resize(image, size_px[::-1], interpolation=cv2.INTER_AREA) for image in near]
    return np.stack(frames).astype(np.uint8, copy=False)


def resized_by_torch(frames: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Returns frames uint8 `(T, 3, H, W)` at a size, in whole levels of 255, float32.

    They are near to those of `resized`, which computes with whole numbers: one level of eight is
    off by one, and hardly any by two.
    """
    whole, levels = _whole_multiple(frames.shape[2:], size_px), frames.float()
    if frames.shape[2:] != tuple(whole):
        levels = interpolate(levels, size=whole, mode="bilinear", align_corners=False).round()
    times = [given // size for given, size in zip(whole, size_px, strict=True)]
    return levels if times == [1, 1] else avg_pool2d(levels, times).round()


def _whole_multiple(sides: Sequence[int], size_px: tuple[int, int]) -> list[int]:
    """Returns the whole multiple of a size that is nearest to the sides of a picture."""
    return [size * max(1, round(given / size)) for given, size in zip(sides, size_px, strict=True)]
