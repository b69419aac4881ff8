"""Density-peak clustering by k nearest neighbours, the same on every run.

The centres are points that are dense and far from any denser one (Du, Ding and Jia, 2016,
https://doi.org/10.1016/j.knosys.2016.02.001). Differences from the code that token compressors
share:

- Ties go to the earlier point. The code adds random noise to the densities, so that a static
  video, whose tokens repeat exactly, gets other centres on every run.
- Density times distance is compared as a sum of logarithms: no density underflows to 0, however
  long the vectors are.
- Distances are rounded (`_pairwise.RESOLUTION`) in the scale of the points' spread, so that
  repeated points are at distance 0.
- Rows are taken in blocks, so that no matrix of all pairs is held for many points.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies._pairwise import resolution, squared_distances

BLOCK = 1024
"""Points whose distances to all others are held at a time."""


class Clusters(NamedTuple):
    """Points grouped around some of them."""

    centers: Tensor
    """Points that are centres, int64, ascending `(count,)`."""
    label: Tensor
    """Which of `centers` each point belongs to, int64 `(n,)`; a centre belongs to itself."""


def cluster(points: Tensor, count: int, neighbors: int) -> Clusters:
    """Returns `points` `(n, D)` in `count` groups, each point with its nearest centre.

    Args:
        points: at least `count` of them.
        count: number of groups, at least 1.
        neighbors: nearest points, itself among them, that a point's density is measured by.
    """
    if count == len(points):
        every = torch.arange(count, device=points.device)
        return Clusters(every, every)
    points = _around_mean(points)
    chosen = centers(points, count, neighbors)
    step = resolution(points)
    label = torch.cat(
        [
            squared_distances(part, points[chosen], step).argmin(1)
            for part in stoppable(points.split(BLOCK))
        ]
    )
    label[chosen] = torch.arange(count, device=label.device)
    return Clusters(chosen, label)


def centers(points: Tensor, count: int, neighbors: int) -> Tensor:
    """Returns the `count` points of highest density times distance to a denser one, ascending.

    Density is `exp` of minus the mean squared distance to the `neighbors` nearest points, the
    point itself among them; distances are divided by `sqrt(D)`. The densest point of all has the
    greatest distance that there is.
    """
    points = _around_mean(points)
    parts, step = points.split(BLOCK), resolution(points)

    @lru_cache(maxsize=1)
    def to_all(part: int) -> Tensor:
        return squared_distances(parts[part], points, step)

    nearest = min(neighbors, len(points))
    spread = torch.cat(
        [
            to_all(part).topk(nearest, largest=False).values.sum(1)
            for part in stoppable(range(len(parts)))
        ]
    )
    order = torch.argsort(spread, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    gaps, farthest = [], []
    for part, own in enumerate(stoppable(rank.split(BLOCK))):
        gaps.append(to_all(part).masked_fill(rank >= own[:, None], torch.inf).amin(1))
        farthest.append(to_all(part).amax())
    gap = torch.cat(gaps)
    gap = torch.where(gap.isinf(), torch.stack(farthest).amax(), gap)
    score = gap.log() / 2 - spread * step / (nearest * points.shape[1])
    return torch.argsort(score, descending=True, stable=True)[:count].sort().values


def _around_mean(points: Tensor) -> Tensor:
    """Returns float64 `points` less their mean, which keeps distances and the digits they need."""
    wide = points.double()
    return wide - wide.mean(0)
