"""Density-peak clustering by k nearest neighbours of many sets at once, the same on every run.

The centres are points that are dense and far from any denser one (Du, Ding and Jia, 2016,
https://doi.org/10.1016/j.knosys.2016.02.001). Differences from the code that token compressors
share:

- Ties go to the earlier point. The code adds random noise to the densities, so that a static
  video, whose tokens repeat exactly, gets other centres on every run.
- Density times distance is compared as a sum of logarithms: no density underflows to 0, however
  long the vectors are.
- Distances are rounded (`RESOLUTION`) in the scale of the points' spread, so that repeated points
  are at distance 0, and added as whole numbers, so that they tie in any order.
- Rows are taken in blocks, so that no matrix of all pairs is held for many points.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from framesift.run import stoppable

BLOCK = 1024
"""Points of a set whose distances to all others are held at a time."""
RESOLUTION = 1e-6
"""Squared distances are told apart down to this share of the mean squared length of the points."""
FARTHEST = 3e38
"""A number below infinity that stands for what has no logarithm."""


class Clusters(NamedTuple):
    """Points of several sets, grouped around some of them."""

    is_center: Tensor
    """Points that are centres, bool `(S, n)`."""
    label: Tensor
    """Which of its set's centres, in their order, each point belongs to, int64 `(S, n)`; a centre
    belongs to itself."""


def cluster(points: Tensor, live: Tensor, counts: Tensor, neighbors: int) -> Clusters:
    """Returns the points of each set in `counts` groups, each point with its nearest centre.

    Args:
        points: of each set, float32 `(S, n, D)`; they are changed.
        live: points that there are, bool `(S, n)`; at least `counts` of each set.
        counts: groups of each set, int64 `(S,)`, at least 1.
        neighbors: nearest points, itself among them, that a point's density is measured by.
    """
    distances = _Distances(points, live)
    is_center = _centers(distances, counts, neighbors)
    nearest = torch.cat(
        [
            distances.rows(part).masked_fill(~is_center[:, None], torch.inf).argmin(2)
            for part in stoppable(distances.parts)
        ],
        dim=1,
    )
    place = is_center.cumsum(1) - 1
    return Clusters(is_center, torch.where(is_center, place, place.gather(1, nearest)))


def centers(points: Tensor, live: Tensor, counts: Tensor, neighbors: int) -> Tensor:
    """Returns the `counts` points of each set of highest density times distance to a denser one.

    Density is `exp` of minus the mean squared distance to the `neighbors` nearest points, the
    point itself among them; distances are divided by `sqrt(D)`. The densest point of all has the
    greatest distance that there is. The result is bool `(S, n)`; arguments are those of `cluster`.
    """
    return _centers(_Distances(points, live), counts, neighbors)


class _Distances:
    """Squared distances within each set, in whole steps; infinite to what is not live."""

    def __init__(self, points: Tensor, live: Tensor) -> None:
        total = live.sum(1).clamp_min(1)
        mean = live.float()[:, None] @ points / total[:, None, None]
        self._points: Final = points.sub_(mean)
        self.live: Final = live
        self.channels: Final = points.shape[2]
        self.parts: Final = range(-(-points.shape[1] // BLOCK))
        self._held: tuple[int, Tensor] | None = None
        diagonals = []
        for part in stoppable(self.parts):
            self._products = self._products_of(part)
            diagonals.append(self._products.diagonal(part * BLOCK, 1, 2).clone())
        squares = torch.cat(diagonals, dim=1)
        spread = squares.where(live, 0).sum(1) / total
        self.step: Final = (spread * RESOLUTION).clamp_min(1e-30)[:, None]
        self._squares: Final = squares.masked_fill(~live, torch.inf)

    def rows(self, part: int) -> Tensor:
        """Returns the steps from one block of points to all, `(S, BLOCK, n)`; keeps the last."""
        if self._held is not None and self._held[0] == part:
            return self._held[1]
        # With one block the products that gave the squares are at hand; they are used up here.
        products = self._products if len(self.parts) == 1 else self._products_of(part)
        own = self._squares[:, part * BLOCK : (part + 1) * BLOCK, None]
        squared = products.mul_(-2).add_(own).add_(self._squares[:, None])
        self._held = part, squared.div_(self.step[..., None]).round_().clamp_min_(0)
        return self._held[1]

    def _products_of(self, part: int) -> Tensor:
        return self._points[:, part * BLOCK : (part + 1) * BLOCK] @ self._points.mT


def _centers(distances: _Distances, counts: Tensor, neighbors: int) -> Tensor:
    live = distances.live
    nearest = min(neighbors, live.shape[1])
    spreads, farthest, gaps = [], [], []
    for part in stoppable(distances.parts):
        rows = distances.rows(part)
        near = rows.topk(nearest, largest=False).values
        spreads.append(near.masked_fill(near.isinf(), 0).long().sum(2))
        farthest.append(rows.masked_fill(~live[:, None], 0).amax(2))
    spread = torch.cat(spreads, 1)
    rank = _places(spread.masked_fill(~live, 2**62))
    for part in stoppable(distances.parts):
        own = rank[:, part * BLOCK : (part + 1) * BLOCK, None]
        gaps.append(distances.rows(part).masked_fill(rank[:, None] >= own, torch.inf).amin(2))
    gap = torch.cat(gaps, 1)
    most = torch.cat(farthest, 1).masked_fill(~live, 0).amax(1, keepdim=True)
    gap = torch.where(gap.isinf(), most, gap)
    considered = live.sum(1, keepdim=True).clamp(1, neighbors) * distances.channels
    score = gap.log() / 2 - spread * distances.step / considered
    score = score.clamp_min(-FARTHEST).masked_fill(~live, -torch.inf)
    return _places(-score) < counts[:, None]


def _places(values: Tensor) -> Tensor:
    """Returns the place of each value in the ascending order of its row; the earlier on a tie."""
    order = values.argsort(dim=1, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)
