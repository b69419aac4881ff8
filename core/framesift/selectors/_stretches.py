"""Picks from stretches of the candidates, as `stratified` and the rules of AKS make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from framesift.selectors._scored import Pick
from framesift.types.clock import span


def picks_of_stretches(
    taken: Sequence[Sequence[int]], bounds: Sequence[int], values: Tensor, pts_seconds: Tensor
) -> list[Pick]:
    """Returns what was taken of each stretch as picks, the highest value first, earlier on ties.

    Args:
        taken: the places taken from each stretch, its best one first.
        bounds: stretch `s` holds the places from `bounds[s]` up to `bounds[s + 1]`.
        values: score of each candidate, `(T,)`.
        pts_seconds: times of the candidates `(T,)`.
    """
    picks, seconds = [], pts_seconds.tolist()
    for number, places in enumerate(taken):
        first, last = bounds[number], bounds[number + 1] - 1
        stretch = span(seconds[first], seconds[last]) if places else ""
        for rank, place in enumerate(places, 1):
            best = "best" if rank == 1 else f"rank {rank}"
            picks.append(Pick(place, f"{best} of {last - first + 1} in {stretch}"))
    score = values.tolist()
    return sorted(picks, key=lambda pick: (-score[pick.place], pick.place))


def halved(
    scores: Tensor, deepest: int, threshold: float, best_of: Callable[[int], int]
) -> tuple[list[int], list[int]]:
    """Returns the bounds of the stretches that repeated halving comes to, and the depth of each.

    A stretch is not halved any more where its best scores exceed its mean by `threshold`. Of two
    halves the later one is longer by 1 where they differ.

    Args:
        scores: `(T,)` within [0, 1], or minus infinity where they do not count.
        deepest: how often the whole is halved at most.
        threshold: how far the best scores must exceed the mean.
        best_of: how many scores of a stretch at a depth are its best ones.
    """
    bounds, depths = [0], []
    waiting = [(0, len(scores), 0)]
    while waiting:
        start, stop, depth = waiting.pop()
        if start == stop:
            continue
        if depth == deepest or _stands_out(scores[start:stop], best_of(depth), threshold):
            bounds.append(stop)
            depths.append(depth)
        else:
            middle = start + (stop - start) // 2
            waiting += [(middle, stop, depth + 1), (start, middle, depth + 1)]
    return bounds, depths


def _stands_out(scores: Tensor, count: int, threshold: float) -> bool:
    real = scores[scores > -torch.inf]
    if not len(real):
        return False
    best = torch.topk(real, min(count, len(real))).values
    return bool(best.mean() - real.mean() > threshold)
