"""Frames as the few patches of them that are new, which LLaVA-OneVision-2 reads as they are.

The tower of that model takes any patches with their places. Frames are grouped; the first of a
group goes in whole, as the first canvas of the group, and blocks of 2 x 2 patches of the later ones
fill its other canvases, slot by slot:

    frames      0  1  2  3 | 4  5  6  7        group 0      group 1
    canvases    [0 whole] [blocks of 1, 2, 3]  [4 whole] [blocks of 5, 6, 7]

The layout is that of the package `lmms-video-utils`. Vision LLMs of other kinds take the same
selection as tokens: see `VideoCompressor`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor

from framesift.errors import InvalidOptionError
from framesift.export._patch_blocks import BLOCK, changes, in_blocks, scaled
from framesift.types.frames import Frames
from framesift.types.options import number, whole

EMPTY: Final = -1
"""What stands for frame, row and column in a slot that nothing fills."""
LEAST_FPS: Final = 1e-9
TAKEN: Final = 0.15
"""What a change counts at a place that an earlier canvas of the group shows already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparsePatches:
    """Canvases of patches, with the place in the video of every patch."""

    canvases: Tensor
    """RGB uint8 `(C, 3, H, W)`; empty slots are black."""
    patch_positions: Tensor
    """Frame number, patch row and patch column, int64 `(P, 3)`, of every patch of every canvas in
    raster order; the places are those in a frame of the size of a canvas. Frame `t` is shown at
    `t / fps` seconds. `EMPTY` three times in an empty slot."""
    groups: Tensor
    """Group of each canvas, int64 `(C,)`."""
    source_seconds: Tensor
    """When the first frame of the group of each canvas is shown, float64 `(C,)`."""
    fps: float
    """Frame numbers per second."""
    left_out: int
    """Selected blocks that found no slot."""

    @property
    def patches(self) -> int:
        """Patches that are filled."""
        return int((self.patch_positions[:, 0] != EMPTY).sum())


def sparse_patches(
    frames: Frames,
    *,
    selected: Tensor | None = None,
    grid: tuple[int, int] | None = None,
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    group_frames: int = 32,
    canvases_per_group: int | None = 4,
    patch_px: int = 14,
    max_pixels: int = 150_000,
    fps: float | None = None,
) -> SparsePatches:
    """Returns frames as canvases of those patches that are new.

    Without `selected`, the later frames of a group are divided evenly among its canvases, and each
    canvas takes the blocks whose brightness changed most since the frame before.

    Args:
        frames: the frames, such as `VideoCompressor.frames` gives.
        selected: which units go in, bool `(T, N)`, such as those that a `gate` had encoded where
            others stood still (`EncodedVideo.encoded.encoded`); where they are too many, those that
            changed most. None for scores alone.
        grid: rows and columns `(h, w)` of the units, `N = h * w`; a block goes in where a unit that
            it overlaps does.
        region: part (x0, y0, x1, y1) of the picture that the grid covers, relative.
        group_frames: frames of a group.
        canvases_per_group: canvases of a group, the whole frame among them; None for as many as
            `selected` fills, so that nothing is left out.
        patch_px: side of a patch.
        max_pixels: most pixels of a canvas; frames are scaled up or down to nearly as many.
        fps: frame numbers per second; None for the rate of the stream that the frames are of.

    Raises:
        InvalidOptionError: the arguments do not fit each other, or there is no frame.
    """
    group_frames = whole("group_frames", group_frames, "frame")
    _check_canvases(canvases_per_group, selected)
    if not len(frames):
        raise InvalidOptionError("frames holds no frame; give at least one")
    most_px = whole("max_pixels", max_pixels, "pixel")
    pixels = scaled(frames, whole("patch_px", patch_px, "pixel"), most_px)
    blocks = pixels.shape[2] // (BLOCK * patch_px), pixels.shape[3] // (BLOCK * patch_px)
    wanted = None
    if selected is not None:
        wanted = in_blocks(selected, grid, region, len(frames), blocks)
    scores = changes(pixels, blocks)
    canvases = [
        (first, canvas)
        for first in range(0, len(frames), group_frames)
        for canvas in _FrameGroup(
            first=first,
            scores=scores[first : first + group_frames],
            wanted=None if wanted is None else wanted[first : first + group_frames],
        ).canvases(canvases_per_group)
    ]
    taken = torch.stack([canvas for _, canvas in canvases])
    opening = torch.tensor([first for first, _ in canvases])
    rate = _rate(frames, fps)
    seconds = torch.from_numpy(np.asarray(frames.pts_seconds, dtype=np.float64))
    return SparsePatches(
        canvases=_drawn(pixels, taken, patch_px),
        patch_positions=_positions(taken, _numbers(seconds, rate)),
        groups=opening // group_frames,
        source_seconds=seconds[opening],
        fps=rate,
        left_out=0 if wanted is None else _left_out(wanted, taken, group_frames),
    )


def _check_canvases(canvases_per_group: int | None, selected: Tensor | None) -> None:
    """Refuses a number of canvases that nothing decides.

    Raises:
        InvalidOptionError: it is none, or not a whole number from 1.
    """
    if canvases_per_group is not None:
        whole("canvases_per_group", canvases_per_group, "canvas")
    elif selected is None:
        raise InvalidOptionError(
            "canvases_per_group=None means as many as `selected` fills, and that is not given; "
            "give one of the two"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _FrameGroup:
    """Frames that are shown by canvases of their own."""

    first: int
    """Which of all frames is the whole one."""
    scores: Tensor
    """How much each block changed, int64 `(T, h, w)`."""
    wanted: Tensor | None
    """Blocks that may go in, bool `(T, h, w)`; None for all."""

    def canvases(self, count: int | None) -> list[Tensor]:
        """Returns frame, block row and block column of each slot, int64 `(h, w, 3)` a canvas."""
        length, *size = self.scores.shape
        candidates = torch.ones(self.scores.shape, dtype=torch.bool)
        if self.wanted is not None:
            candidates = self.wanted.clone()
        candidates[0] = False
        opening = torch.zeros(self.scores.shape, dtype=torch.bool)
        opening[0] = True
        picks = [opening.nonzero()]
        slots = size[0] * size[1]
        if count is None:
            picks += candidates.nonzero().split(slots) if candidates.any() else []
        elif count > 1:
            edges = [round(length * part / (count - 1)) for part in range(count)]
            seen = torch.zeros(size, dtype=torch.bool)
            for start, end in pairwise(edges):
                run = torch.zeros_like(candidates)
                run[start + 1 : end + 1] = candidates[start + 1 : end + 1]
                picks.append(self._best(run, seen, slots))
                seen[picks[-1][:, 1], picks[-1][:, 2]] = True
        return [self._slots(pick, size) for pick in picks]

    def _best(self, candidates: Tensor, seen: Tensor, slots: int) -> Tensor:
        """Returns those that changed most, `(K, 3)` in the order of time, row and column."""
        places = candidates.nonzero()
        scores = self.scores[candidates].double()
        scores = torch.where(seen[places[:, 1], places[:, 2]], scores * TAKEN, scores)
        best = scores.sort(descending=True, stable=True).indices[:slots]
        return places[best.sort().values]

    def _slots(self, picked: Tensor, size: list[int]) -> Tensor:
        slots = torch.full((size[0] * size[1], 3), EMPTY)
        slots[: len(picked)] = picked + torch.tensor([self.first, 0, 0])
        return slots.view(*size, 3)


def _rate(frames: Frames, fps: float | None) -> float:
    """Returns the frame numbers per second: those asked for, or those of the stream."""
    if fps is not None:
        return number("fps", fps, low=LEAST_FPS, high=math.inf)
    seconds = float(frames.pts_seconds[-1] - frames.pts_seconds[0])
    return int(frames.indices[-1] - frames.indices[0]) / seconds if seconds > 0 else 1.0


def _numbers(seconds: Tensor, fps: float) -> Tensor:
    """Returns a number for each frame, int64 `(T,)`: its time times `fps`, and no number twice."""
    numbers = (seconds * fps).round().long()
    order = torch.arange(len(numbers))
    return (numbers - order).cummax(dim=0).values + order


def _positions(taken: Tensor, numbers: Tensor) -> Tensor:
    """Returns frame number, patch row and patch column of all patches, int64 `(P, 3)`."""
    inner = torch.arange(BLOCK)
    patches = taken[:, :, None, :, None].repeat(1, 1, BLOCK, 1, BLOCK, 1)
    patches[..., 1] = patches[..., 1] * BLOCK + inner[:, None, None]
    patches[..., 2] = patches[..., 2] * BLOCK + inner
    is_empty = taken[:, :, None, :, None, 0].expand(patches.shape[:-1]) == EMPTY
    patches[..., 0] = numbers[patches[..., 0]]
    patches[is_empty] = EMPTY
    return patches.reshape(-1, 3)


def _drawn(pixels: Tensor, taken: Tensor, patch_px: int) -> Tensor:
    """Returns the canvases `(C, 3, H, W)`: the block of each slot, or black."""
    side = BLOCK * patch_px
    tiles = pixels.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # (T, 3, h, side, w, side)
    drawn = [tiles[slot[..., 0], :, slot[..., 1], :, slot[..., 2]] for slot in taken]
    shown = torch.stack(drawn) * (taken[..., 0] != EMPTY)[..., None, None, None]
    shown = shown.permute(0, 3, 1, 4, 2, 5)
    return shown.flatten(4, 5).flatten(2, 3).contiguous()


def _left_out(wanted: Tensor, taken: Tensor, group_frames: int) -> int:
    """Returns how many wanted blocks of frames that are not whole went into no canvas."""
    later = torch.arange(len(wanted)) % group_frames != 0
    filled = taken[taken[..., 0] != EMPTY]
    return int(wanted[later].sum()) - int(later[filled[:, 0]].sum())
