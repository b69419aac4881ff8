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
FRAMES_AT_ONCE: Final = 64
"""Frames that are compared at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quadtree:
    """The quadtrees of `T` frames, by levels of squares that are up to `2^k` patches wide.

    Each level has half of the squares of the one below it to a side. Of an odd number the first
    stays single and the others pair up, so that squares are aligned to the lower right: 7 columns
    become `0 12 34 56`. The squares of level 0 are the patches, that of the last level `K` is the
    frame. A square is named by its upper left patch. It is the mean of its live patches; without
    any, it is as unlike others as can be.
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
        sides, layout = _sides(tokens.grid), _Layout.of(tokens.grid, tokens.features.device)
        least, over_time = [], []
        for at in stoppable(range(0, tokens.frame_count, FRAMES_AT_ONCE)):
            # One frame more than a block holds, for the comparison of its last with the next.
            part = slice(at, at + FRAMES_AT_ONCE + 1)
            live = None if tokens.mask is None else tokens.mask[part]
            frames = _Frames.of(tokens.features[part], live, layout)
            least.append(frames.least()[:, :FRAMES_AT_ONCE])
            over_time.append(frames.over_time())
        return cls(
            corner=_corners(tokens.grid).to(tokens.features.device),
            least=torch.cat(least, 1),
            over_time=torch.cat(over_time, 2),
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
        return self._of_levels(self.levels(spatial))

    def joins(self, spatial: int, temporal: int) -> tuple[Tensor, Tensor]:
        """Returns pairs of overlapping squares of neighbouring frames, the most alike first.

        Args:
            spatial: threshold that makes the squares.
            temporal: least similarity of a pair.
        """
        level = self.levels(spatial)
        square, similarity = self._of_levels(level), self._to_next(level).flatten()
        # Later pairs first on ties, so that earlier tokens stay apart.
        order = torch.argsort(similarity.flip(0), descending=True, stable=True)
        order = len(order) - 1 - order[: int((similarity >= temporal).sum())]
        return square[:-1].flatten()[order], square[1:].flatten()[order]

    def groups(self, spatial: int, temporal: int) -> Tensor:
        """Returns the group that each patch is joined into at two thresholds, `(T * N,)`."""
        level = self.levels(spatial)
        square, joined = self._of_levels(level), self._to_next(level) >= temporal
        ends = square[:-1][joined], square[1:][joined]
        flat = square.flatten()
        return _ops.components(len(flat), *ends)[flat]

    def unsplit(self, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Returns pairs of quarters and squares that a lower threshold does not split.

        Small squares come first, of one size those of the most alike quarters.
        """
        coarse, fine = self.levels(low), self.levels(high)
        frame = torch.arange(len(fine), device=fine.device)[:, None] * fine.shape[1]
        corner = [(frame + own).flatten() for own in self.corner]
        pairs = [(corner[0][:0], corner[0][:0])]
        for level, least in enumerate(self.least, start=1):
            joined = ((fine < level) & (level <= coarse)).flatten().nonzero().flatten().flip(0)
            joined = joined[torch.argsort(least.flatten()[joined], descending=True, stable=True)]
            pairs.append((corner[level - 1][joined], corner[level][joined]))
        return torch.cat([quarter for quarter, _ in pairs]), torch.cat(
            [whole for _, whole in pairs]
        )

    def _of_levels(self, level: Tensor) -> Tensor:
        """Returns the square of each patch whose level is `level` `(T, N)`."""
        own = self.corner.gather(0, level)
        return own + torch.arange(len(own), device=own.device)[:, None] * own.shape[1]

    def _to_next(self, level: Tensor) -> Tensor:
        """Returns how alike squares of a level are to those of the next frame, `(T - 1, N)`."""
        pair = level[:-1] * len(self.corner) + level[1:]
        return self.over_time.flatten(0, 1).gather(0, pair[None])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Which patches make up the `U` squares of all levels above the patches."""

    members: Tensor
    """1 for each patch of a square, float32 `(U, N)`."""
    of_patch: Tensor
    """The square of each patch at levels 1 to K, int64 `(K, N)` in [0, U)."""
    smallest: int
    """How many squares level 1 has; they come first."""

    @classmethod
    def of(cls, grid: tuple[int, int], device: torch.device) -> Self:
        """Returns the squares of a grid."""
        counts = [height * width for height, width in _sides(grid)[1:]]
        starts = [0, *itertools.accumulate(counts)]
        own = [torch.zeros(0, grid[0] * grid[1], dtype=torch.long)]
        for start, square in zip(starts, list(_squares_of_patches(grid))[1:], strict=False):
            own.append(square[None] + start)
        of_patch = torch.cat(own)
        members = torch.zeros(starts[-1], grid[0] * grid[1]).scatter_(0, of_patch, 1.0)
        return cls(
            members=members.to(device),
            of_patch=of_patch.to(device),
            smallest=counts[0] if counts else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """Patches and larger squares of some frames, to be compared.

    Scalar products of all squares with each other are cheaper than gathering those that are
    needed, of patches with patches only the few that are.
    """

    layout: _Layout
    patch: Tensor
    """Patches, 0 where they are not live, float32 `(F, N, D)`."""
    square: Tensor
    """Sum of the patches of each square, float32 `(F, U, D)`."""
    lengths: Tensor
    """Length of each patch, then of each square `(F, N + U)`."""
    filled: Tensor | None
    """Patches, then squares with a live patch, bool `(F, N + U)`; None if all are."""

    @classmethod
    def of(cls, features: Tensor, live: Tensor | None, layout: _Layout) -> Self:
        """Returns the squares of frames `(F, N, D)`, of which some patches may take no part."""
        patch = features.float()
        filled = None
        if live is not None:
            patch = patch * live[..., None]
            filled = torch.cat([live, live.float() @ layout.members.T > 0], 1)
        square = layout.members @ patch
        lengths = [_ops.length(each) for each in (patch, square)]
        return cls(
            layout=layout, patch=patch, square=square, lengths=torch.cat(lengths, 1), filled=filled
        )

    def least(self) -> Tensor:
        """Returns how alike the least alike quarter of each patch's square is to it, `(K, F, N)`.

        In whole millionths, int32.
        """
        own, patches = self.layout.of_patch, self.patch.shape[1]
        if not len(own):
            return own[:, None].expand(-1, len(self.patch), -1).int()
        places = torch.arange(patches, device=own.device)
        small = self.patch @ self.square[:, : self.layout.smallest].mT
        products = [
            small.flatten(1)[:, places * small.shape[2] + own[0]],
            _picked(self.square @ self.square.mT, own[:-1].flatten(), own[1:].flatten()),
        ]
        child = torch.cat([places[None], patches + own[:-1]]).flatten()
        alike = self._millionths(torch.cat(products, 1), child, patches + own.flatten(), 0)
        if self.filled is not None:
            alike.masked_fill_(~self.filled[:, child], ONE)
        least = alike.new_full((len(alike), self.square.shape[1]), ONE)
        least = least.scatter_reduce(1, own.flatten().expand_as(alike), alike, "amin")
        return least[:, own].transpose(0, 1)

    def over_time(self) -> Tensor:
        """Returns how alike squares of each pair of levels are to those of the next frame.

        In whole millionths, int32 `(K + 1, K + 1, F - 1, N)`.
        """
        own, (frames, patches, _) = self.layout.of_patch, self.patch.shape
        levels, places = len(own) + 1, torch.arange(patches, device=own.device)
        now, then = (self.patch[:-1], self.square[:-1]), (self.patch[1:], self.square[1:])
        every = torch.cat([now[0] @ then[1].mT, now[1] @ then[1].mT], 1)
        node = torch.cat([places[None], patches + own])
        first = node[:, None].expand(-1, levels, -1).flatten()
        second = node.expand(levels, -1, -1).flatten()
        products = every.new_empty(frames - 1, levels, levels, patches)
        products[:, 0, 0] = (now[0][..., None, :] @ then[0][..., :, None])[..., 0, 0]
        coarse = node[:, None].expand(-1, levels - 1, -1), own.expand(levels, -1, -1)
        products[:, :, 1:] = _picked(every, *coarse)
        products[:, 1:, 0] = _picked(now[1] @ then[0].mT, own, places.expand_as(own))
        alike = self._millionths(products.flatten(1), first, second, 1)
        if self.filled is not None:
            alike.masked_fill_(~(self.filled[:-1, first] & self.filled[1:, second]), -ONE)
        return alike.view(frames - 1, levels, levels, patches).permute(1, 2, 0, 3)

    def _millionths(self, products: Tensor, first: Tensor, second: Tensor, later: int) -> Tensor:
        """Returns similarities in whole millionths, int32 `(F, P)`.

        Args:
            products: scalar products `(F, P)`.
            first: which squares they are of, in the order of `lengths` `(P,)`.
            second: the other ones.
            later: how many frames later these are.
        """
        lengths = self.lengths[: len(products), first], self.lengths[later:, second]
        value = products / (lengths[0] * lengths[1]).clamp_min(1e-30)
        alike = (lengths[0] == 0) & (lengths[1] == 0)
        return (value.masked_fill(alike, 1.0).clamp(-1.0, 1.0) * ONE).round().int()


def _picked(products: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Returns the entries of each frame's matrix at rows and columns, `(F, *row.shape)`."""
    return products.flatten(1)[:, row * products.shape[2] + column]


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
