"""Which lines of text belong to which candidate, and values that pass on to those around."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from framesift.types.video import TimedText


def lines_of_each(pts_seconds: Tensor, lines: Sequence[TimedText]) -> list[list[int]]:
    """Returns for each candidate the lines that are there at its time.

    A line between two candidates belongs to the nearer one; one before or behind all of them, by
    more than half of what lies between two, to none. One that stands again belongs to those of
    each of its stretches.

    Args:
        pts_seconds: times of the candidates `(T,)`, ascending.
        lines: text with its times.
    """
    times = pts_seconds.double()
    stretches = [(number, *each) for number, line in enumerate(lines) for each in line.stretches]
    starts, ends = (
        torch.tensor([each[side] for each in stretches], dtype=torch.float64) for side in (1, 2)
    )
    edges = (times[1:] + times[:-1]) / 2
    before = times[0] - (edges[0] - times[0]) if len(edges) else -torch.inf
    behind = times[-1] + (times[-1] - edges[-1]) if len(edges) else torch.inf
    middles = (starts + ends) / 2
    nearest = torch.searchsorted(edges, middles).tolist()
    inside = ((middles >= before) & (middles <= behind)).tolist()
    firsts, lasts = (torch.searchsorted(times, edge).tolist() for edge in (starts, ends))
    found: list[dict[int, None]] = [{} for _ in times]
    for each, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        number = stretches[each][0]
        for place in range(first, last):
            found[place][number] = None
        if first == last and inside[each]:
            found[nearest[each]][number] = None
    return list(map(list, found))


def passed_on(values: Tensor, pts_seconds: Tensor, reach_seconds: float) -> Tensor:
    """Returns the largest value near each candidate, less what its distance takes, as `values`.

    So words of one sentence that stand in lines one after the other count together.

    Args:
        values: at each candidate, not negative, `(..., T)`.
        pts_seconds: times of the candidates `(T,)`, ascending.
        reach_seconds: distance at which nothing is left of a value; 0 for the values as they are.
    """
    found = values.clone()
    for step in range(1, len(pts_seconds)):
        apart = pts_seconds[step:] - pts_seconds[:-step]
        if not bool((apart < reach_seconds).any()):
            break
        left = (1 - apart / reach_seconds).clamp_min(0)
        torch.maximum(found[..., step:], values[..., :-step] * left, out=found[..., step:])
        torch.maximum(found[..., :-step], values[..., step:] * left, out=found[..., :-step])
    return found
