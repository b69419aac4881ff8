"""Sizes of the public slow-fast layouts."""

from __future__ import annotations

from typing import Final, Literal

Preset = Literal["clapper", "slowfast-llava", "llava-video"]
Grid = tuple[int, int]

SEGMENTS: Final[dict[Preset, int]] = {"clapper": 4, "slowfast-llava": 5, "llava-video": 10}
"""Frames of a segment."""
COARSE_SIDE: Final = 16
"""Longest side of a grid that key frames keep as it is; longer ones are halved."""
FAST_SIDE: Final = 4
"""Side of the grid on which SlowFast-LLaVA shows every frame."""


def preset_grids(
    preset: Preset, grid: Grid, key_stride: int | None, time_stride: int | None
) -> tuple[Grid, Grid]:
    """Returns the grids of a key frame and of temporal tokens.

    Args:
        preset: the layout.
        grid: patches `(h, w)` of a frame.
        key_stride: patches a side of a cell of a key frame; None for the layout's.
        time_stride: of temporal tokens, likewise.
    """
    height, width = grid
    if preset == "slowfast-llava":
        key, time = (height, -(-width // 2)), (min(FAST_SIDE, height), min(FAST_SIDE, width))
    else:
        stride = key_stride or (1 if max(grid) <= COARSE_SIDE else 2)
        key, time = strided(grid, stride), strided(grid, 2 * stride)
    if key_stride is not None:
        key = strided(grid, key_stride)
    if time_stride is not None:
        time = strided(grid, time_stride)
    return key, time


def strided(grid: Grid, stride: int) -> Grid:
    """Returns how many cells of some patches a side hold a grid, the last ones maybe fewer."""
    return -(-grid[0] // stride), -(-grid[1] // stride)
