"""Cosines of tokens: each with each other, within frames, and with the nearest of some targets."""

from __future__ import annotations

from functools import cached_property

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
        self._room = torch.empty(rows * self.nodes, device=units.device)

    def best(self, rows: Tensor, group: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns similarity and index of the nearest node outside of each row's own group."""
        return self.nearest if group is None else self._best(rows, group)

    @cached_property
    def nearest(self) -> tuple[Tensor, Tensor]:
        """Similarity and index of the nearest other node of each."""
        if self._matrix is not None:
            value, column = self._matrix.max(1)
            return value, column
        value = self._units.new_full((self.nodes,), -torch.inf)
        column = torch.zeros_like(value, dtype=torch.long)
        # Each pair once: what is new to the rows of a block may be new to its columns as well.
        for start in stoppable(range(0, self.nodes, self._at_once)):
            end = min(start + self._at_once, self.nodes)
            block = self._product(self._units[start:end], self._units[:end])
            block.diagonal(start).fill_(-torch.inf)
            torch.max(block, 1, out=(value[start:end], column[start:end]))
            before = block[:, :start]
            nearer = (before.amax(0) > value[:start]).nonzero().flatten()
            if len(nearer):
                value[nearer], row = before[:, nearer].max(0)
                column[nearer] = row + start
        return value, column

    def nearest_of(self, targets: Tensor, places: Tensor) -> Tensor:
        """Returns what `nearest` does for all nodes, where some targets are nodes themselves.

        Args:
            targets: vectors `(m, D)`.
            places: the node that a target is, int64 `(m,)`; negative for those that are none.
        """
        if self._matrix is None:
            return nearest(self._units[:, :-1], targets)
        other = (places < 0).nonzero().flatten()
        units, place = unit(targets[other]), places.clamp_min(0)
        rows = torch.empty_like(self.nearest[1])
        self._matrix.fill_diagonal_(1.0)
        for start in stoppable(range(0, self.nodes, self._at_once)):
            part = slice(start, start + self._at_once)
            block = self._matrix[part].index_select(1, place)
            block.index_copy_(1, other, rounded_(self._units[part] @ units.T))
            rows[part] = block.max(1).indices
        self._matrix.fill_diagonal_(-torch.inf)
        return rows

    def rows(self, rows: Tensor) -> Tensor:
        """Returns the similarities of some nodes to all, minus infinity to themselves `(R, n)`."""
        if self._matrix is not None:
            return self._matrix[rows]
        block = self._product(self._units[rows], self._units)
        return block.scatter_(1, rows[:, None], -torch.inf)

    def _best(self, rows: Tensor, group: Tensor | None) -> tuple[Tensor, Tensor]:
        value, column = rows.new_empty(len(rows), dtype=torch.float32), torch.empty_like(rows)
        own = None if group is None else group.int()
        for start in stoppable(range(0, len(rows), self._at_once)):
            part = slice(start, start + self._at_once)
            block = self.rows(rows[part])
            if own is not None:
                block.masked_fill_(own[rows[part], None] == own, -torch.inf)
            torch.max(block, 1, out=(value[part], column[part]))
        return value, column

    def _product(self, first: Tensor, second: Tensor) -> Tensor:
        room = self._room[: len(first) * len(second)].view(len(first), len(second))
        return rounded_(torch.mm(first, second.T, out=room))

    def _whole(self) -> Tensor:
        """Returns the matrix, its upper triangle copied from the lower one."""
        matrix = torch.empty(self.nodes, self.nodes, device=self._units.device)
        for start in stoppable(range(0, self.nodes, ROWS_AT_ONCE)):
            end = min(start + ROWS_AT_ONCE, self.nodes)
            stretch = matrix[start:end, :end]
            rounded_(torch.mm(self._units[start:end], self._units[:end].T, out=stretch))
            matrix[:start, start:end] = stretch[:, :start].T
        return matrix.fill_diagonal_(-torch.inf)


class PartlyMerged(AllPairs):
    """Similarities of tokens of which some groups are replaced by their means.

    A group has the place of its first token; the others are like nothing. What is known of the
    tokens is not computed again.
    """

    def __init__(self, tokens: AllPairs, units: Tensor, means: Tensor, gone: Tensor) -> None:
        """Takes the similarities of all tokens, and what differs from them.

        Args:
            tokens: similarities of the tokens.
            units: unit vectors of the tokens, at the places of means theirs.
            means: places of means, int64 ascending.
            gone: places of their other tokens, int64.
        """
        self.nodes, self.edges = tokens.nodes, tokens.nodes - len(gone) - 1
        self._tokens, self._units, self._means, self._gone = tokens, units, means, gone
        self._matrix, self._at_once, self._room = tokens._matrix, tokens._at_once, tokens._room
        self._changed = torch.zeros_like(units[:, 0], dtype=torch.bool).index_fill_(0, means, True)

    @cached_property
    def nearest(self) -> tuple[Tensor, Tensor]:
        """Similarity and index of the nearest other node of each.

        Where the nearest token is no longer there, its similarity is a bound, and the node itself
        stands for it, so that it is looked at again if it matters.
        """
        value, column = self._tokens.nearest
        itself = torch.arange(self.nodes, device=value.device)
        lost = self._changed.index_fill(0, self._gone, True)[column]
        value, column = value.clone(), torch.where(lost, itself, column)
        means = self._units[self._means]
        for start in stoppable(range(0, self.nodes, max(1, self._at_once))):
            part = slice(start, start + self._at_once)
            near, which = rounded_(self._units[part] @ means.T).max(1)
            which = self._means[which]
            nearer = near > value[part]
            nearer |= ~lost[part] & (near == value[part]) & (which < column[part])
            value[part] = near.where(nearer, value[part])
            column[part] = which.where(nearer, column[part])
        value[self._means], column[self._means] = self._best(self._means, None)
        value[self._gone], column[self._gone] = -torch.inf, self._gone
        return value, column

    def rows(self, rows: Tensor) -> Tensor:
        """Returns the similarities of some nodes to all, minus infinity to themselves `(R, n)`."""
        block = super().rows(rows)
        if self._matrix is not None:
            to_means = rounded_(self._units[rows] @ self._units[self._means].T)
            block.index_copy_(1, self._means, to_means)
            own = self._changed[rows].nonzero().flatten()
            block[own] = rounded_(self._units[rows[own]] @ self._units.T)
            block.scatter_(1, rows[:, None], -torch.inf)
        return block.index_fill_(1, self._gone, -torch.inf)


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
