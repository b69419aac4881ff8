"""Squares of patches of every size, how alike they are, and which of them a threshold makes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.types.tokens import VideoTokens

ONE: Final = 1_000_000
"""A similarity of 1; similarities are whole millionths, so that thresholds are exact."""
CHUNK: Final = 16
"""Frames that are compared at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quadtree:
    """The quadtrees of `T` frames, by levels of squares that are up to `2^k` patches wide.

    Each level has half of the squares of the one below it to a side. Of an odd number the first
    stays single and the others pair up, so that squares are aligned to the lower right: 7 columns
    become `0 12 34 56`. The squares of level 0 are the patches, that of the last level `K` is the
    frame. A square is named by its upper left patch. It is the mean of its live patches; without
    any, it is as unlike others as can be. Everything lies on the CPU.
    """

    corner: Tensor
    """The square of each patch at each level, int64 `(K + 1, N)`."""
    least: Tensor
    """Similarity of the least alike quarter of the square of each patch at levels 1 to K, int32
    `(K, T, N)`."""
    over_time: Tensor
    """Similarity of the square of level `a` at each patch to that of level `b` in the next frame,
    int32 `(K + 1, K + 1, T - 1, N)`."""
    top: int
    """Level of the largest squares that are made, in [0, K]."""

    @property
    def deepest(self) -> int:
        """The level `K` at which the whole frame is one square."""
        return len(self.least)

    @classmethod
    def of(cls, tokens: VideoTokens, root_level: int = 0) -> Self:
        """Returns the quadtrees of all frames.

        The largest squares are those of the level at which a side of the grid has come to two,
        or of one that lies `root_level` levels below it.
        """
        sides = _sides(tokens.grid)
        # One frame more than a chunk holds, for the comparison of its last with the next.
        chunks = [slice(at, at + CHUNK + 1) for at in range(0, tokens.frame_count, CHUNK)]
        parts = [
            _similarities(tokens.features[at], tokens.live[at], tokens.grid)
            for at in stoppable(chunks)
        ]
        return cls(
            corner=_corners(tokens.grid),
            least=torch.cat([least[:, :CHUNK].cpu() for least, _ in parts], 1),
            over_time=torch.cat([alike.cpu() for _, alike in parts], 2),
            top=max(0, sum(min(side) > 2 for side in sides) - root_level),
        )

    def levels(self, spatial: int) -> Tensor:
        """Returns the level of the square that each patch ends up in, `(T, N)`.

        From the largest squares downwards, a square is split where its least alike quarter is below
        the threshold.
        """
        return (self.least[: self.top] >= spatial).long().flip(0).cummax(0).values.sum(0)

    def squares(self, spatial: int) -> Tensor:
        """Returns the square of each patch at a spatial threshold, `(T, N)` in [0, T * N)."""
        own = self.corner.gather(0, self.levels(spatial))
        return own + torch.arange(len(own))[:, None] * own.shape[1]

    def joins(self, spatial: int, temporal: int) -> tuple[Tensor, Tensor]:
        """Returns pairs of overlapping squares of neighbouring frames, the most alike first.

        Args:
            spatial: threshold that makes the squares.
            temporal: least similarity of a pair.
        """
        level, square = self.levels(spatial), self.squares(spatial)
        pair = level[:-1] * len(self.corner) + level[1:]
        similarity = self.over_time.flatten(0, 1).gather(0, pair[None]).flatten()
        # Later pairs first on ties, so that earlier tokens stay apart.
        order = torch.argsort(similarity.flip(0), descending=True, stable=True)
        order = len(order) - 1 - order[: int((similarity >= temporal).sum())]
        return square[:-1].flatten()[order], square[1:].flatten()[order]

    def groups(self, spatial: int, temporal: int) -> Tensor:
        """Returns the group that each patch is joined into at two thresholds, `(T * N,)`."""
        square = self.squares(spatial).flatten()
        return _ops.components(len(square), *self.joins(spatial, temporal))[square]

    def unsplit(self, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Returns pairs of quarters and squares that a lower threshold does not split.

        Small squares come first, of one size those of the most alike quarters.
        """
        coarse, fine = self.levels(low), self.levels(high)
        frame = torch.arange(len(fine))[:, None] * fine.shape[1]
        corner = [(frame + own).flatten() for own in self.corner]
        pairs = [(corner[0][:0], corner[0][:0])]
        for level, least in enumerate(self.least, start=1):
            joined = ((fine < level) & (level <= coarse)).flatten().nonzero().flatten().flip(0)
            joined = joined[torch.argsort(least.flatten()[joined], descending=True, stable=True)]
            pairs.append((corner[level - 1][joined], corner[level][joined]))
        return torch.cat([quarter for quarter, _ in pairs]), torch.cat(
            [whole for _, whole in pairs]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """The squares of one size in some frames."""

    sums: Tensor
    """Sum of the live patches of each square, float32 `(T, S, D)`."""
    filled: Tensor
    """Squares with a live patch, bool `(T, S)`."""
    of_patch: Tensor
    """The square of each patch, int64 `(N,)`."""
    patch: Tensor
    """One patch of each square, int64 `(S,)`."""


def _similarities(features: Tensor, live: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns `least` and `over_time` of frames, from their features `(T, N, D)`."""
    levels = list(_pyramid(features, live, grid))
    over_time = torch.stack(
        [
            torch.stack([_next_frame(first, second) for second in stoppable(levels)])
            for first in levels
        ]
    )
    least = [_least_alike(child, parent) for child, parent in itertools.pairwise(levels)]
    return torch.stack(least) if least else over_time.new_empty(0, *live.shape), over_time


def _least_alike(child: _Level, parent: _Level) -> Tensor:
    """Returns how alike the least alike quarter of each patch's square is to it, `(T, N)`."""
    above = parent.of_patch[child.patch]
    alike = _millionths(child.sums, parent.sums[:, above]).masked_fill(~child.filled, ONE)
    least = torch.full_like(parent.filled, ONE, dtype=torch.int32)
    return least.scatter_reduce(1, above.expand_as(alike), alike, "amin")[:, parent.of_patch]


def _pyramid(features: Tensor, live: Tensor, grid: tuple[int, int]) -> Iterator[_Level]:
    """Yields the squares of the patches, then those of twice the width, up to the whole frame."""
    sums = (features.float() * live[..., None]).unflatten(1, grid)
    filled = live.float()[..., None].unflatten(1, grid)
    patches = torch.arange(live.shape[1], device=features.device)
    for of_patch in stoppable(_squares_of_patches(grid)):
        square = of_patch.to(features.device)
        high, wide = sums.shape[1:3]
        yield _Level(
            sums=sums.flatten(1, 2),
            filled=filled.flatten(1) > 0,
            of_patch=square,
            patch=torch.zeros_like(patches)[: high * wide].scatter(0, square, patches),
        )
        sums, filled = _halved(sums), _halved(filled)


def _sides(grid: tuple[int, int]) -> list[tuple[int, int]]:
    """Returns the rows and columns of squares of each level, from the patches to one square."""
    sides = [grid]
    while max(sides[-1]) > 1:
        height, width = sides[-1]
        sides.append((-(-height // 2), -(-width // 2)))
    return sides


def _squares_of_patches(grid: tuple[int, int]) -> Iterator[Tensor]:
    """Yields of each level the square of each patch in raster order, int64 `(N,)`."""
    patches = torch.arange(grid[0] * grid[1])
    rows, columns = patches // grid[1], patches % grid[1]
    for height, width in _sides(grid):
        yield rows * width + columns
        rows, columns = (rows + height % 2) // 2, (columns + width % 2) // 2


def _corners(grid: tuple[int, int]) -> Tensor:
    """Returns the first patch of the square of each patch at each level, int64 `(K + 1, N)`."""
    patches = torch.arange(grid[0] * grid[1])
    none = torch.full_like(patches, len(patches))
    return torch.stack(
        [none.scatter_reduce(0, own, patches, "amin")[own] for own in _squares_of_patches(grid)]
    )


def _halved(cells: Tensor) -> Tensor:
    """Returns sums over squares of two by two cells of `(T, h, w, D)`, fewer in odd firsts."""
    height, width = cells.shape[1:3]
    even = torch.nn.functional.pad(cells, (0, 0, width % 2, 0, height % 2, 0))
    upper, lower = even[:, 0::2], even[:, 1::2]
    return upper[:, :, 0::2] + upper[:, :, 1::2] + lower[:, :, 0::2] + lower[:, :, 1::2]


def _next_frame(first: _Level, second: _Level) -> Tensor:
    """Returns how alike each patch's square is to the next frame's, int32 `(T - 1, N)`."""
    finer = max(first, second, key=lambda level: len(level.patch))
    one, other = first.of_patch[finer.patch], second.of_patch[finer.patch]
    alike = _millionths(first.sums[:-1, one], second.sums[1:, other])
    filled = first.filled[:-1, one] & second.filled[1:, other]
    return alike.masked_fill(~filled, -ONE)[:, finer.of_patch]


def _millionths(first: Tensor, second: Tensor) -> Tensor:
    return (_ops.similarity(first, second) * ONE).round().int()
