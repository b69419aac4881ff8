"""The signal `edge_density`: the fine strokes in each patch, many in text and user interfaces."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from framesift.types.device import uploaded

DETAIL_PX: Final = 896
"""Frame side from which the strokes of small text are seen; finer is not worth decoding."""
CONTRAST: Final = 30
"""Gray levels by which a stroke differs from what is beside it."""
GRAY: Final = (9798, 19235, 3735)
"""What red, green and blue add to gray, of 2**15, as OpenCV has it."""
FRAMES: Final = 8
"""Frames that are looked at together on a device."""


def shrunk(images: npt.NDArray[np.uint8], most_px: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Returns frames `(T, H, W, 3)` whose sides are scaled down to at most `(H, W)`, by averages.

    Strokes are lines of one or two pixels, so that on a picture of 4K few letters have any.
    """
    height, width = (min(pair) for pair in zip(images.shape[1:3], most_px, strict=True))
    if images.shape[1:3] == (height, width):
        return images
    size = width, height
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def edge_density(images: npt.NDArray[np.uint8], grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Returns the share of stroke pixels in each patch, `(T, N)` in [0, 1].

    A stroke is a line up to two pixels thin, darker or lighter than both of its sides (the
    black-hat and top-hat of mathematical morphology). Outlines of objects and soft texture, which a
    gradient would count, have only one such side.

    Args:
        images: RGB pixels `(T, H, W, 3)`, at most as large as `DETAIL_PX` asks for.
        grid: patch grid `(h, w)`.
    """
    return np.stack([_density(image, grid) for image in images])


def edge_density_on(
    device: torch.device, images: npt.NDArray[np.uint8], grid: tuple[int, int]
) -> Tensor:
    """Returns what `edge_density` does, equal to the bit, computed on a device and left there."""
    if device.type == "cpu":
        return torch.from_numpy(edge_density(images, grid))
    parts = range(0, len(images), FRAMES)
    return torch.cat([_by_torch(uploaded(images[i : i + FRAMES], device), grid) for i in parts])


def _by_torch(frames: Tensor, grid: tuple[int, int]) -> Tensor:
    """Returns the edge density `(T, N)` of frames uint8 `(T, 3, H, W)`, float32.

    All numbers are whole and below 2**24, so float32 holds them, which every device can pool.
    """
    parts = torch.tensor(GRAY, dtype=torch.float32).to(frames.device)[:, None, None]
    gray = ((frames.float() * parts).sum(1) + (1 << 14)).mul_(2.0**-15).floor_()
    dark = -_largest(-_largest(gray)) - gray
    light = gray - _largest(-_largest(-gray))
    strokes = (torch.maximum(dark, light) > CONTRAST).float()
    (down, heights), (across, widths) = (
        _bands(size, count) for size, count in zip(gray.shape[1:], grid, strict=True)
    )
    counts = down.to(frames.device) @ strokes @ across.T.to(frames.device)
    areas = torch.outer(heights, widths).clamp(min=1).to(frames.device)
    return (counts / areas).flatten(1)


def _largest(gray: Tensor) -> Tensor:
    """Returns the largest value of each pixel and those around it, `(T, H, W)`."""
    return max_pool2d(gray, 3, stride=1, padding=1)


def _bands(size: int, count: int) -> tuple[Tensor, Tensor]:
    """Returns which pixels of a side are in each of its parts, `(count, size)`, and how many."""
    ends = torch.from_numpy(np.linspace(0, size, count + 1).round().astype(np.int64))
    pixels = torch.arange(size)
    within = (pixels >= ends[:-1, None]) & (pixels < ends[1:, None])
    return within.float(), ends.diff().float()


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
