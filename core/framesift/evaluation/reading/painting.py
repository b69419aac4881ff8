"""What is left of the pictures of a video: each patch shows what the plan keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.types.plan import TokenPlan

Pixels = npt.NDArray[np.uint8]
GREY: Final = 127
"""What dropped patches are painted with."""


@dataclass(frozen=True, kw_only=True)
class Painted:
    """The frames of a video as a plan leaves them."""

    pictures: Pixels
    """RGB `(T, H, W, 3)`."""
    is_left: npt.NDArray[np.bool_]
    """Patches that an output stands for, `(T, h, w)`."""
    is_same: npt.NDArray[np.bool_]
    """Patches whose pixels are the ones that they had, `(T, h, w)`."""


def painted(pictures: Pixels, grid: tuple[int, int], plan: TokenPlan) -> Painted:
    """Returns pictures in which dropped patches are grey, and merged ones show their mean.

    A patch that several outputs hold shows the one in which it weighs most.

    Args:
        pictures: RGB `(T, H, W, 3)`, sides that the grid divides.
        grid: patches `(h, w)` of a picture.
        plan: which of the `T * h * w` patches survive.
    """
    shape = (len(pictures), *grid)
    patches = _patches(pictures, grid)
    shown = torch.full_like(patches, GREY)
    order = torch.argsort(plan.weight, stable=True).numpy()
    held = np.full(plan.num_in, -1)
    held[plan.src.numpy()[order]] = plan.dst.numpy()[order]  # the last one stays
    row = torch.from_numpy(held)
    left = row >= 0
    if plan.is_pruning:
        shown[left] = patches[left]
    else:
        means = plan.normalized().apply(patches.float()).round().clamp(0, 255).byte()
        shown[left] = means[row[left]]
    same = left & (shown == patches).all(1)
    return Painted(
        pictures=_pictures(shown, pictures.shape, grid),
        is_left=left.view(shape).numpy(),
        is_same=same.view(shape).numpy(),
    )


def _patches(pictures: Pixels, grid: tuple[int, int]) -> Tensor:
    """Returns the pixels of each patch, uint8 `(T * h * w, P)`."""
    frames, height, width, _ = pictures.shape
    high, wide = height // grid[0], width // grid[1]
    cells = torch.from_numpy(pictures).view(frames, grid[0], high, grid[1], wide, 3)
    return cells.permute(0, 1, 3, 2, 4, 5).reshape(frames * grid[0] * grid[1], -1)


def _pictures(patches: Tensor, shape: tuple[int, ...], grid: tuple[int, int]) -> Pixels:
    frames, height, width, _ = shape
    high, wide = height // grid[0], width // grid[1]
    cells = patches.view(frames, *grid, high, wide, 3).permute(0, 1, 3, 2, 4, 5)
    pixels: Pixels = cells.reshape(shape).contiguous().numpy()
    return pixels
