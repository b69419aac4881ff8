"""Cosines of tokens: each with each other, within frames, and with the nearest of some targets."""

from __future__ import annotations

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies._pairwise import rounded_, unit

AT_ONCE = 2**22
"""Similarities held at once, 16 MiB of them."""
STORED = 2**26
"""Largest matrix of similarities that is kept, 256 MiB; of larger ones rows are made anew."""
ACCELERATED = 16
"""How many times as much an accelerator holds at once, where each step is a launch."""
ROWS_AT_ONCE = 256


def at_once_on(values: Tensor) -> int:
    """Returns how many similarities are held at once on the device of `values`."""
    return AT_ONCE if values.device.type == "cpu" else AT_ONCE * ACCELERATED


def nearest(values: Tensor, targets: Tensor) -> Tensor:
    """Returns the row of `targets` of highest cosine for each of `values`, the earlier on ties."""
    units, at_once = unit(targets), max(1, at_once_on(values) // len(targets))
    highest = torch.empty(len(values), device=values.device)
    rows = torch.empty(len(values), dtype=torch.long, device=values.device)
    block = torch.empty(min(at_once, len(values)), len(targets), device=values.device)
    for start in stoppable(range(0, len(values), at_once)):
        part = slice(start, start + at_once)
        queries = unit(values[part])
        similarity = torch.mm(queries, units.T, out=block[: len(queries)])
        torch.max(rounded_(similarity), 1, out=(highest[part], rows[part]))
    return rows


class AllPairs:
    """Similarities of unit vectors `(n, D)`, each with each other.

    Where they are not kept, they are made in one room again and again: thousands of large tensors
    between small ones tear holes into the heap, which then grows to many times what is in use.
    """

    def __init__(self, units: Tensor) -> None:
        self.nodes, self.edges = len(units), len(units) - 1
        self._units = units
        self._matrix = self._whole() if self.nodes**2 <= STORED else None
        self._at_once = min(self.nodes, max(1, at_once_on(units) // self.nodes))
        rows = 0 if self._matrix is not None else self._at_once
        self._room = torch.empty(rows, self.nodes, device=units.device)

    def best(self, rows: Tensor, group: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns similarity and index of the nearest node outside of each row's own group."""
        if group is None and self._matrix is not None:
            value, column = self._matrix.max(1)
            return value, column
        value, column = rows.new_empty(len(rows), dtype=torch.float32), torch.empty_like(rows)
        own = None if group is None else group.int()
        for start in stoppable(range(0, len(rows), self._at_once)):
            part = slice(start, start + self._at_once)
            torch.max(self._block(rows[part], own), 1, out=(value[part], column[part]))
        return value, column

    def _block(self, rows: Tensor, group: Tensor | None) -> Tensor:
        """Returns similarities `(R, n)`, minus infinity within a group."""
        if self._matrix is None:
            block = torch.mm(self._units[rows], self._units.T, out=self._room[: len(rows)])
            rounded_(block).scatter_(1, rows[:, None], -torch.inf)
        else:
            block = self._matrix[rows]
        return (
            block if group is None else block.masked_fill_(group[rows, None] == group, -torch.inf)
        )

    def _whole(self) -> Tensor:
        """Returns the matrix, its upper triangle copied from the lower one."""
        matrix = torch.empty(self.nodes, self.nodes, device=self._units.device)
        for start in stoppable(range(0, self.nodes, ROWS_AT_ONCE)):
            end = min(start + ROWS_AT_ONCE, self.nodes)
            stretch = matrix[start:end, :end]
            rounded_(torch.mm(self._units[start:end], self._units[:end].T, out=stretch))
            matrix[:start, start:end] = stretch[:, :start].T
        return matrix.fill_diagonal_(-torch.inf)


class WithinFrames:
    """Similarities of unit vectors `(F, N, D)`, each with the others of its own frame."""

    def __init__(self, units: Tensor, live: Tensor) -> None:
        frames, patches, _ = units.shape
        self.nodes, self._patches = frames * patches, patches
        self.edges = int((live.sum(1) - 1).clamp_min(0).sum())
        matrix = rounded_(units @ units.mT)
        matrix.masked_fill_(~(live[:, :, None] & live[:, None]), -torch.inf)
        matrix.diagonal(dim1=1, dim2=2).fill_(-torch.inf)
        self._matrix = matrix.view(self.nodes, patches)

    def best(self, rows: Tensor, group: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns similarity and index of the nearest node outside of each row's own group."""
        frame, block = rows // self._patches, self._matrix[rows]
        if group is not None:
            own = group[rows, None] == group.view(-1, self._patches)[frame]
            block.masked_fill_(own, -torch.inf)
        value, column = block.max(1)
        return value, column + frame * self._patches
