"""Which frames make up an exact count when a rule has found too few, and how a count is shared."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor


def in_widest_gaps(pts_seconds: Tensor, kept: Sequence[int], count: int) -> list[int]:
    """Returns `count` frames that are not `kept`, each where time is covered least by then.

    Of frames as far from all that is kept, the earlier one. Without any kept ones, the first is
    the frame in the middle.

    Args:
        pts_seconds: times of all frames `(T,)`, ascending.
        kept: places that are taken.
        count: at most as many as there are others.
    """
    times = pts_seconds.double()
    far = torch.full_like(times, torch.inf)
    for place in kept:
        far = far.minimum((times - times[place]).abs())
    free = torch.ones_like(times, dtype=torch.bool)
    free[list(kept)] = False
    added: list[int] = []
    for _ in range(count):
        if bool(far.isinf().all()):
            best = int((times - (times[0] + times[-1]) / 2).abs().argmin())
        else:
            best = int(torch.where(free, far, -1.0).argmax())
        added.append(best)
        free[best] = False
        far = far.minimum((times - times[best]).abs())
    return added


def shared_by_length(lengths: Sequence[float], rooms: Sequence[int], count: int) -> list[int]:
    """Returns how many of `count` each part gets: one at least, more for longer ones.

    Each further one goes to the part with most length per frame, the earlier one on ties.

    Args:
        lengths: of each part, in any unit.
        rooms: frames of each part, at least 1.
        count: at least as many as there are parts, at most as many as there is room for.
    """
    shares = [1] * len(lengths)
    for _ in range(count - len(shares)):
        best = max(
            (part for part, room in enumerate(rooms) if shares[part] < room),
            key=lambda part: (lengths[part] / shares[part], -part),
        )
        shares[best] += 1
    return shares


def nearest_to(times: Sequence[float], wanted: Sequence[float]) -> list[int]:
    """Returns, for each wanted time, the place of a near frame: distinct ones, ascending.

    Args:
        times: of the frames, ascending, at least as many as are wanted.
        wanted: ascending times.
    """
    places: list[int] = []
    for number, time in enumerate(wanted):
        first = places[-1] + 1 if places else 0
        last = len(times) - len(wanted) + number
        behind = bisect_left(times, time, first, last)
        before = max(first, behind - 1)
        places.append(before if time - times[before] <= times[behind] - time else behind)
    return places


def first_at(levels: Sequence[float], wanted: Sequence[float]) -> list[int]:
    """Returns, for each wanted level, the first place that reaches it: distinct ones, ascending.

    Args:
        levels: of the frames, ascending, at least as many as are wanted.
        wanted: ascending levels.
    """
    places: list[int] = []
    for number, level in enumerate(wanted):
        first = places[-1] + 1 if places else 0
        last = len(levels) - len(wanted) + number
        places.append(bisect_left(levels, level, first, last))
    return places


def part_middles(first: float, last: float, count: int) -> list[float]:
    """Returns the middles of `count` equal parts of a stretch."""
    return [first + (last - first) * (2 * part + 1) / (2 * count) for part in range(count)]
