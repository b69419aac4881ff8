"""An exact budget split over frames, segments or groups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from framesift.strategies import _ops


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """Returns `total` split in proportion to `sizes`, each share its exact part rounded up or down.

    What rounding leaves over is spread evenly over the parts, so that no end of a video is
    preferred. Where `total` is at most the sum of `sizes`, no share is above its size.
    """
    whole = sum(sizes)
    if not whole:
        return [0] * len(sizes)
    marks = ((2 * before * total + whole) // (2 * whole) for before in accumulate(sizes, initial=0))
    return [after - before for before, after in pairwise(marks)]


def floors(sizes: Sequence[int], total: int) -> list[int]:
    """Returns `total` split by one share: each size times the share, rounded down.

    So equal sizes get equal counts. Where no share gives `total`, the highest below it does, and
    one more goes to evenly spaced ones of the sizes that would be next: sizes 4, 4, 4 and total 7
    are split 2, 3, 2.

    Args:
        sizes: at least 0 each.
        total: at most their sum.
    """
    own = np.asarray(sizes, dtype=np.int64)
    if total == own.sum():
        return list(sizes)
    kinds, kind, alike = np.unique(own, return_inverse=True, return_counts=True)
    owner = np.arange(len(kinds)).repeat(kinds)
    place = np.arange(len(owner)) - (kinds.cumsum() - kinds).repeat(kinds) + 1
    # A size `s` gets its `c`-th one from the share `c / s` on; equal fractions are equal floats.
    share = place / kinds[owner]
    order = share.argsort(kind="stable")
    last = share[order[alike[owner[order]].cumsum() > total][0]]
    counts = np.bincount(owner[share < last], minlength=len(kinds))[kind]
    following = np.flatnonzero(np.bincount(owner[share == last], minlength=len(kinds))[kind])
    missing = total - int(counts.sum())
    counts[following[_ops.evenly(len(following), missing).numpy()]] += 1
    shared: list[int] = counts.tolist()
    return shared
