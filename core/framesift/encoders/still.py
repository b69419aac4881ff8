"""Which units of a frame are encoded again: those whose pixels changed since they were encoded.

A unit is what becomes one token. Its change is the largest, over 4 x 4 cells, of the mean absolute
change of its pixels against those it was last encoded with, so that a slow change adds up until it
is seen. They are the pixels that the tower sees, in levels of 256.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor

CELLS: Final = 4
"""Cells on each side of a unit."""
EXACT: Final = 256
"""Changes are compared in such fractions of a level, so that no sum's order decides."""
FRAMES_AT_ONCE: Final = 16
"""Time steps that are first compared with the one before them, in a few operations."""

MOST_PAIRED: Final = 2**26
"""Most values of the differences of all pairs of time steps that are compared at once: 256 MB."""

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """How a frame is cut into rows and columns of units; together they cover all of it.

    Neighbours may share patches, where a token is a mean of patches of which another one takes some
    as well.
    """

    rows: Ranges
    """First patch row of each row of units, and the one behind its last."""
    columns: Ranges
    """Patch columns of each column of units, likewise."""
    patch_px: tuple[int, int] = (1, 1)
    """Size `(H, W)` of a patch."""

    @classmethod
    def even(
        cls, grid: tuple[int, int], patches: tuple[int, int], patch_px: tuple[int, int] = (1, 1)
    ) -> Self:
        """Returns units of one size; the last ones also take the patches that are left over."""
        rows, columns = (
            tuple(
                (i * (length // count), (i + 1) * (length // count) if i + 1 < count else length)
                for i in range(count)
            )
            for count, length in zip(grid, patches, strict=True)
        )
        return cls(rows=rows, columns=columns, patch_px=patch_px)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of units `(h, w)`."""
        return len(self.rows), len(self.columns)

    def patches(self, encoded: Tensor) -> Tensor:
        """Returns the patches of units: of bool `(T, h * w)` bool `(T, rows * columns)`.

        A patch that several units share is among those of each.
        """
        down, across = (_membership(ranges) for ranges in (self.rows, self.columns))
        counts: Tensor = down.T @ encoded.unflatten(1, self.grid).float() @ across
        return (counts > 0).flatten(1)


class ChangedUnits:
    """Finds the units of one video that must be encoded, window by window.

    The first frame is encoded whole, and so is one of which most units changed.
    """

    def __init__(
        self,
        units: Units,
        gate: float,
        *,
        levels: Sequence[float] = (1.0, 1.0, 1.0),
        frames_per_step: int = 1,
        whole: bool = False,
    ) -> None:
        """Begins a video.

        Args:
            units: how its frames are cut.
            gate: change in levels of 256 above which a unit is encoded again.
            levels: how many of them make 1 in the pixels that are given, for each colour.
            frames_per_step: frames that are encoded as one; a unit changes where any of them does.
            whole: whether a frame is encoded whole as soon as one unit changed.
        """
        self.units: Final = units
        self._limit: Final = round(gate * EXACT)
        self._step: Final = frames_per_step
        # A matrix that takes the mean of the three colours, in levels.
        self._mean = torch.tensor([list(levels)]) / len(levels)
        self._most: Final = 0.0 if whole else 0.5
        self._down, self._across = (
            _Axis.of([(start * side, stop * side) for start, stop in ranges])
            for ranges, side in zip((units.rows, units.columns), units.patch_px, strict=True)
        )
        self._encoded: Tensor | None = None

    def changed(self, pixels: Tensor) -> Tensor:
        """Returns the units to be encoded, bool `(T, N)` on the CPU.

        Args:
            pixels: the next frames as the tower sees them, float32
                `(T * frames_per_step, 3, H, W)`.
        """
        steps = self._in_units(pixels.unflatten(0, (-1, self._step)))
        if steps.device.type == "cpu":
            return torch.cat([self._of_some(part) for part in steps.split(FRAMES_AT_ONCE)])
        at_once = max(1, math.isqrt(MOST_PAIRED // steps[0].numel()))
        return torch.cat([self._by_pairs(part) for part in steps.split(at_once)])

    def _of_some(self, steps: Tensor) -> Tensor:
        difference = torch.empty_like(steps)
        torch.sub(steps[1:], steps[:-1], out=difference[1:])
        torch.sub(steps[0], steps[0] if self._encoded is None else self._encoded, out=difference[0])
        changed = self._above(difference)
        if self._encoded is None:
            changed[0] = True
        if bool(self._mostly(changed).all()):  # each then follows one that is encoded whole
            self._encoded = steps[-1].clone()
            return torch.ones_like(changed)
        return torch.stack([self._of_one(step) for step in steps])

    def _by_pairs(self, steps: Tensor) -> Tensor:
        """Does what `_of_some` does in a few operations, for devices where each takes its time.

        All pairs of steps are compared at once, so that the rest is looking up on the CPU.
        """
        is_first = self._encoded is None
        states = torch.cat([steps[:1] if self._encoded is None else self._encoded[None], steps])
        pairs = self._above((steps[:, None] - states).flatten(0, 1))
        above = pairs.view(len(steps), len(states), -1).cpu().numpy()
        found = np.ones(above[:, 0].shape, np.bool_)
        latest = np.zeros(above.shape[2], np.int64)
        for number, table in enumerate(above):
            changed = table[latest, np.arange(len(latest))]
            if not (is_first and number == 0) and changed.mean() <= self._most:
                found[number] = changed
            latest[found[number]] = number + 1
        grid = torch.from_numpy(latest).to(steps.device).unflatten(0, self.units.grid)
        state = grid[self._down.unit][:, self._across.unit].expand(1, *steps.shape[1:])
        self._encoded = states.gather(0, state)[0]
        return torch.from_numpy(found)

    def _of_one(self, step: Tensor) -> Tensor:
        if self._encoded is None:
            self._encoded = step
            rows, columns = self.units.grid
            return torch.ones(rows * columns, dtype=torch.bool, device=step.device)
        changed = self._above((step - self._encoded)[None])[0]
        changed = changed | self._mostly(changed)
        grid = changed.unflatten(0, self.units.grid)
        there = grid[self._down.unit][:, self._across.unit]
        self._encoded = torch.where(there, step, self._encoded)
        return changed

    def _above(self, difference: Tensor) -> Tensor:
        """Returns which units changed, bool `(T, N)`.

        Args:
            difference: of pixels, `(T, S, 3, H, W)`, which is written over.
        """
        height, width = difference.shape[-2:]
        change = (self._mean @ difference.abs_().flatten(-2)).view(-1, self._step, height, width)
        cells = self._down.mean @ change @ self._across.mean.T
        rows, columns = self.units.grid
        split = cells.unflatten(-1, (columns, CELLS)).unflatten(-3, (rows, CELLS))
        largest: Tensor = (split.amax((1, 3, 5)) * EXACT).round()
        return largest.flatten(1) > self._limit

    def _mostly(self, changed: Tensor) -> Tensor:
        return changed.float().mean(-1, keepdim=True) > self._most

    def _in_units(self, steps: Tensor) -> Tensor:
        """Returns pixels unit by unit, those twice that are in two of them."""
        if self._down.pixel.device != steps.device:
            self._down, self._across = self._down.on(steps), self._across.on(steps)
            self._mean = self._mean.to(steps.device)
        if len(self._down.pixel) != steps.shape[-2]:
            steps = steps.index_select(-2, self._down.pixel)
        if len(self._across.pixel) != steps.shape[-1]:
            steps = steps.index_select(-1, self._across.pixel)
        return steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Axis:
    """The pixel rows, or columns, of the units one after the other."""

    pixel: Tensor
    """Number of each one in the frame, int64 `(L,)`."""
    unit: Tensor
    """Which row or column of units each belongs to, int64 `(L,)`."""
    mean: Tensor
    """Takes means over cells, float32 `(units * CELLS, L)`."""

    @classmethod
    def of(cls, ranges: list[tuple[int, int]]) -> Self:
        pixel = torch.cat([torch.arange(start, stop) for start, stop in ranges])
        lengths = torch.tensor([stop - start for start, stop in ranges])
        unit = torch.repeat_interleave(torch.arange(len(ranges)), lengths)
        mean = torch.zeros(len(ranges) * CELLS, len(pixel))
        first = 0
        for number, length in enumerate(lengths.tolist()):
            for cell in range(CELLS):
                start, stop = cell * length // CELLS, -(-(cell + 1) * length // CELLS)
                mean[number * CELLS + cell, first + start : first + stop] = 1 / (stop - start)
            first += length
        return cls(pixel=pixel, unit=unit, mean=mean)

    def on(self, like: Tensor) -> Self:
        device = like.device
        return type(self)(
            pixel=self.pixel.to(device), unit=self.unit.to(device), mean=self.mean.to(device)
        )


def _membership(ranges: Ranges) -> Tensor:
    """Returns 1 where a unit has a patch, float32 `(units, patches)`."""
    patch = torch.arange(max(stop for _, stop in ranges))
    limits = torch.tensor(ranges)
    return ((patch >= limits[:, :1]) & (patch < limits[:, 1:])).float()
