"""What rules over scores share: the order of candidates, their scale, and how a count is divided.

A score of minus infinity marks a candidate that is taken only where nothing else is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import torch
from torch import Tensor


def best_first(values: Tensor) -> list[int]:
    """Returns all places from the highest of the values `(T,)` to the lowest, earlier on ties.

    Raises:
        ValueError: a value is not a number.
    """
    _check(values)
    return torch.argsort(values, descending=True, stable=True).tolist()


def scaled(values: Tensor) -> Tensor:
    """Returns values `(T,)` as float64 from 0 for the lowest to 1 for the highest.

    All are 0 where they are equal, and minus infinity stays.

    Raises:
        ValueError: a value is not a number, or infinitely high.
    """
    _check(values)
    real = values.double()
    finite = real[real.isfinite()]
    if not len(finite):
        return real
    # Halves, since the span of two numbers of float64 may exceed it.
    low, high = finite.min() / 2, finite.max() / 2
    if high == low:
        return torch.where(real.isfinite(), 0.0, real)
    return (real / 2 - low) / (high - low)


def evenly(places: Sequence[int], count: int) -> list[int]:
    """Returns `count` of the places, those at the middles of `count` equal parts of them."""
    return [places[(2 * number + 1) * len(places) // (2 * count)] for number in range(count)]


def groups_best_first(values: Tensor, bounds: Sequence[int]) -> list[list[int]]:
    """Returns the places of each stretch between two bounds, from its highest value down.

    Args:
        values: `(T,)`.
        bounds: ascending, from 0 to T: group `g` holds the places from `bounds[g]` on.
    """
    lengths = torch.diff(torch.tensor(bounds))
    owner = torch.arange(len(lengths)).repeat_interleave(lengths).tolist()
    groups: list[list[int]] = [[] for _ in lengths]
    for place in best_first(values):
        groups[owner[place]].append(place)
    return groups


def shared_out(
    count: int, quotas: Sequence[float], groups: Sequence[Sequence[int]], values: Tensor
) -> list[list[int]]:
    """Returns the places taken from each group, exactly `count` in all.

    Each group gives the whole part of its quota, then the largest remainders one more each; what a
    small group lacks is shared out likewise. Of equal remainders that counts more whose next place
    has the higher value, then the earlier group.

    Args:
        count: how many places to take, at most as many as there are.
        quotas: how many each group should give; their sum is `count`.
        groups: the places of each group, from the highest value to the lowest.
        values: `(T,)`.
    """
    score: list[float] = values.tolist()
    usable = [sum(score[place] > -torch.inf for place in group) for group in groups]
    taken = [min(int(quota), most) for quota, most in zip(quotas, usable, strict=True)]

    def waiting(group: int) -> tuple[bool, float, float, int]:
        next_score = score[groups[group][taken[group]]]
        left = quotas[group] - taken[group]
        return next_score == -torch.inf, -left, -next_score, group

    queue = [waiting(group) for group in range(len(groups)) if taken[group] < len(groups[group])]
    heapq.heapify(queue)
    for _ in range(count - sum(taken)):
        group = heapq.heappop(queue)[-1]
        taken[group] += 1
        if taken[group] < len(groups[group]):
            heapq.heappush(queue, waiting(group))
    return [list(group[:number]) for group, number in zip(groups, taken, strict=True)]


def _check(values: Tensor) -> None:
    if values.isnan().any() or (values == torch.inf).any():
        wrong = int((values.isnan() | (values == torch.inf)).nonzero()[0])
        raise ValueError(
            f"the score of candidate {wrong} is {float(values[wrong])}: scores must be numbers, or "
            "minus infinity for a candidate that is taken only where nothing else is left"
        )
