"""Picks the frames with the highest scores that are not neighbours in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._ranking import best_first
from framesift.selectors._scored import Pick, Scored
from framesift.types.options import Amount


@dataclass(frozen=True, kw_only=True)
class Nms(Scored):
    """Picks the best frame again and again, each time leaving out its neighbours.

    This is the greedy non-maximum suppression of the M-LLM frame selector (arXiv 2502.19680): of T
    candidates, `T / 4k` on each side of a pick are left out, which is a quarter of the even
    spacing of `k` frames. At most `T / 2 + k` are left out in all, so the rule never runs out of
    candidates; for `k` above `T / 4` it is `topk`.

    Differences from the published rule: it marks what is left out by -1, which is a score as any
    other where scores are logits, so that frames were picked twice. Here nothing is marked by a
    number. Where a larger `distance` leaves too few candidates, the rest fills the largest gaps.
    """

    summary: ClassVar[str] = "the highest scores that keep a distance from one another"

    distance: Amount | None = None
    """Candidates on each side of a pick that are left out; None for a quarter of the even
    spacing."""

    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns `count` peaks, the highest first, then what fills the gaps between them."""
        total = len(values)
        reach = total // (4 * count) if self.distance is None else self.distance
        usable = (values > -np.inf).numpy()
        peaks = _peaks(best_first(values)[: int(usable.sum())], total, count, reach)
        kept = f", more than {reach} candidates from the others" if reach else ""
        picks = [Pick(place, f"peak {rank}{kept}") for rank, place in enumerate(peaks, 1)]
        filling = _widest_gaps(peaks, usable, count - len(peaks))
        return picks + [Pick(place, "fills the largest gap between peaks") for place in filling]


def _peaks(order: list[int], total: int, count: int, reach: int) -> list[int]:
    """Returns the first `count` places of `order` that no earlier one is within `reach` of."""
    left_out = bytearray(total)
    peaks: list[int] = []
    for place in order:
        if len(peaks) == count:
            break
        if not left_out[place]:
            peaks.append(place)
            start, stop = max(0, place - reach), min(total, place + reach + 1)
            left_out[start:stop] = b"\1" * (stop - start)
    return peaks


def _widest_gaps(taken: list[int], usable: NDArray[np.bool_], count: int) -> list[int]:
    """Returns `count` more places, each the farthest from all before it; unusable ones last."""
    total, place = len(usable), np.arange(len(usable))
    gap = np.full(total, total)
    for other in taken if count else ():
        gap = np.minimum(gap, abs(place - other))
    more: list[int] = []
    for _ in range(count):
        # A place that is taken has no gap; one that is not has at least 1.
        best = int(np.argmax(np.where(usable, gap * (total + 1), gap)))
        best = best if taken or more else (total - 1) // 2
        more.append(best)
        gap = np.minimum(gap, abs(place - best))
    return more
