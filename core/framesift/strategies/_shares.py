"""An exact budget split over frames, segments or groups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise


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
