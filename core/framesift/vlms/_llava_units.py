"""Tokens of LLaVA's towers of which only some patches are encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from framesift.encoders.still import Units


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Of which patches a row of tokens is made, or a column."""

    first: tuple[int, ...]
    """The first patch of each; the others follow it."""
    weights: tuple[tuple[float, ...], ...]
    """What each of its patches counts."""

    @classmethod
    def squares(cls, patches: int, stride: int) -> Self:
        """Returns means over `stride` patches; what is left over at the end is in none."""
        first = range(0, patches - stride + 1, stride)
        return cls(first=tuple(first), weights=((1 / stride,) * stride,) * len(first))

    @classmethod
    def interpolated(cls, patches: int, tokens: int) -> Self:
        """Returns means of the two patches nearest to each token, as bilinear resizing takes them.

        That of 27 patches to 14 tokens takes patch 13 twice.
        """
        if patches == 1:
            return cls(first=(0,), weights=((1.0,),))
        middles = [max((i + 0.5) * patches / tokens - 0.5, 0.0) for i in range(tokens)]
        first = [min(int(middle), patches - 2) for middle in middles]
        shares = [middle - start for middle, start in zip(middles, first, strict=True)]
        return cls(first=tuple(first), weights=tuple((1 - share, share) for share in shares))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taps:
    """Of which patches each token of a square frame is made: those of its row in its column."""

    side: Side

    def units(self, patches: int, patch_px: int) -> Units:
        """Returns the patches of the tokens, with those that are left over at the last ones."""
        side = self.side
        width = len(side.weights[0])
        ends = [first + width for first in side.first]
        ranges = tuple(zip(side.first, [*ends[:-1], patches], strict=True))
        return Units(rows=ranges, columns=ranges, patch_px=(patch_px, patch_px))

    def at(self, row: Tensor, encoded: Tensor, device: torch.device) -> TokenRows:
        """Returns where the patches of the encoded tokens are.

        Args:
            row: the packed row of each patch, int64 `(T, patches * patches)`.
            encoded: tokens, bool `(T, N)`.
            device: of what is packed.
        """
        patches, width = round(row.shape[1] ** 0.5), len(self.side.weights[0])
        place = torch.tensor(self.side.first)[:, None] + torch.arange(width)
        one = torch.tensor(self.side.weights)
        patch = place[:, None, :, None] * patches + place[None, :, None, :]
        weights = one[:, None, :, None] * one[None, :, None, :]
        frame, token = encoded.nonzero().unbind(1)
        rows = row[frame[:, None], patch.flatten(0, 1).flatten(1)[token]]
        shares = weights.flatten(0, 1).flatten(1)[token]
        return TokenRows(rows=rows.to(device), shares=shares.to(device))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenRows:
    """Where the patches of each encoded token are in a packed row."""

    rows: Tensor
    """Their numbers, int64 `(U, K)`."""
    shares: Tensor
    """What each of them counts, float32 `(U, K)`."""

    def gathered(self, values: Tensor) -> Tensor:
        """Returns the values of the patches of each token, of `(P, C)` as `(U, K, C)`."""
        taken = values.index_select(0, self.rows.flatten())
        return taken.view(*self.rows.shape, -1)

    def mixed(self, values: Tensor) -> Tensor:
        """Returns the weighted means of the patches of each token, of `(P, C)` as `(U, C)`."""
        count, patches = self.rows.shape
        if patches == 1:
            return values.index_select(0, self.rows[:, 0])
        total = torch.zeros(count, values.shape[1], device=values.device)
        for number in range(patches):
            taken = values.index_select(0, self.rows[:, number]).float()
            total.addcmul_(taken, self.shares[:, number, None])
        return total.to(values.dtype)
