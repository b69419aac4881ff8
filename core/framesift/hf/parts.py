"""Attention of a row of parts, each of which attends to itself: those of one length at once.

A tower on frames of any size packs them into one row, with the ends of its parts: frames, or the
windows of frames. There are few lengths among them, since only windows at the edges are smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

Compute = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Returns `(B, q, heads, Dv)` for queries, keys and values `(B, heads, n, D)`."""


def lengths_of(ends: Tensor) -> tuple[int, ...]:
    """Returns how long the parts of a row are that end at `ends`, `(parts + 1,)` from 0."""
    return tuple(ends.diff().tolist())


def of_parts(
    lengths: tuple[int, ...], compute: Compute, query: Tensor, key: Tensor, value: Tensor
) -> Tensor:
    """Returns the attention within each part of a row, `(1, P, heads, Dv)`, `P` in all of them.

    Args:
        lengths: of the parts.
        compute: gets all parts of one length at once.
        query: `(1, heads, P, Dk)`, as `key` and `value` are.
        key: likewise.
        value: likewise.
    """
    row = query, key, value
    if len(set(lengths)) == 1:
        return compute(*(_apart(each, lengths[0]) for each in row)).flatten(0, 1)[None]
    groups = [
        (places, compute(*(_apart(each.index_select(2, places), length) for each in row)))
        for length, places in _by_length(lengths, query.device)
    ]
    found = groups[0][1].new_empty(query.shape[2], *groups[0][1].shape[2:])
    for places, given in groups:
        found.index_copy_(0, places, given.flatten(0, 1))
    return found[None]


def one_by_one(
    lengths: tuple[int, ...], compute: Compute, query: Tensor, key: Tensor, value: Tensor
) -> Tensor:
    """Returns what `of_parts` does, of parts that are computed in their order."""
    parts = zip(*(each.split(lengths, dim=2) for each in (query, key, value)), strict=True)
    return torch.cat([compute(*part) for part in parts], dim=1)


def _apart(row: Tensor, length: int) -> Tensor:
    """Returns the parts of a row `(1, heads, B * length, D)` as `(B, heads, length, D)`."""
    parts: Tensor = row[0].unflatten(1, (-1, length)).transpose(0, 1)
    return parts


@lru_cache(maxsize=8)
def _by_length(lengths: tuple[int, ...], device: torch.device) -> list[tuple[int, Tensor]]:
    """Returns each length of parts with the places of all parts of it, part by part."""
    length = np.array(lengths)
    start = length.cumsum() - length
    found = []
    for each in np.unique(length[length > 0]):
        places = start[length == each][:, None] + np.arange(each)
        found.append((int(each), torch.from_numpy(places.ravel()).to(device)))
    return found
