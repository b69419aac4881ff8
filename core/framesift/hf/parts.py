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

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Returns `(B, q, heads, Dv)` for queries, keys and values `(B, heads, n, D)`."""


def of_parts(
    ends: Tensor, attend: Attend, query: Tensor, key: Tensor, value: Tensor, *, in_order: bool
) -> Tensor:
    """Returns the attention within each part of one row, `(1, P, heads, Dv)`.

    Args:
        ends: where parts begin and end, `(parts + 1,)`, from 0 to `P`.
        attend: computes parts of one length.
        query: `(1, heads, P, Dk)`, as `key` and `value` are.
        key: likewise.
        value: likewise.
        in_order: whether `attend` must get the parts in their order: all at once where they are of
            one length, one by one where they are not.
    """
    lengths = tuple(ends.diff().tolist())
    row = query, key, value
    if len(set(lengths)) == 1:
        return attend(*(_apart(each, lengths[0]) for each in row)).flatten(0, 1)[None]
    if in_order:
        parts = zip(*(each.split(lengths, dim=2) for each in row), strict=True)
        return torch.cat([attend(*part) for part in parts], dim=1)
    found: Tensor | None = None
    for length, places in _by_length(lengths, query.device):
        chosen = (_apart(each.index_select(2, places), length) for each in row)
        given = attend(*chosen).flatten(0, 1)
        if found is None:
            found = given.new_empty(query.shape[2], *given.shape[1:])
        found.index_copy_(0, places, given)
    assert found is not None
    return found[None]


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
