"""Single linkage of tokens at every threshold at once: a maximum spanning forest of cosines.

Components of the graph "similarity above t" are those of its maximum spanning forest cut at t, so
one forest holds the components of every threshold and of every count. It is built in Boruvka
rounds in which a row of similarities is looked at again only where its last answer is used up.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.types.device import segment_sums

CHANNELS_AT_ONCE = 64
EDGES_AT_ONCE = 4096


class Similarities(Protocol):
    """Similarities of `nodes` nodes, of which a row may know only a stretch."""

    nodes: int
    edges: int
    """Number of edges of their spanning forest."""

    def best(self, rows: Tensor, group: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns similarity and index of the nearest node outside of each row's own group.

        The similarity is minus infinity for a group that holds all nodes.

        Args:
            rows: nodes to look at, int64 `(R,)`, at least one.
            group: group of each node, int64 `(nodes,)`; None is a group for each node.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """The strongest edges of a maximum spanning forest, strongest first."""

    low: Tensor
    """Earlier node of each edge, int64 `(E,)`."""
    high: Tensor
    """Later node of each edge, int64 `(E,)`."""
    weight: Tensor
    """Similarity of the two, float32 `(E,)`, descending; ties by `low`, then `high`."""
    nodes: int

    @classmethod
    def side_by_side(cls, parts: Sequence[Forest]) -> Forest:
        """Returns the forest of `parts` that share no node, numbered on from one to the next."""
        low, high, start = [], [], 0
        for part in parts:
            low.append(part.low + start)
            high.append(part.high + start)
            start += part.nodes
        weight = torch.cat([part.weight for part in parts])
        keys = torch.cat(low) * start + torch.cat(high)
        return cls.strongest_first(keys, weight, start)

    @classmethod
    def strongest_first(cls, keys: Tensor, weight: Tensor, nodes: int) -> Forest:
        """Returns the forest of edges given as `low * nodes + high` `(E,)`, in any order."""
        keys, order = keys.sort()
        weight, stronger = weight[order].sort(descending=True, stable=True)
        keys = keys[stronger]
        return cls(low=keys // nodes, high=keys % nodes, weight=weight, nodes=nodes)

    def weight_of(self, edge: int) -> float:
        """Returns the similarity of an edge by rank; 1 before the first, -1 after the last."""
        if edge < 0:
            return 1.0
        return round(float(self.weight[edge]), 7) if edge < len(self.weight) else -1.0

    def edges_above(self, threshold: float) -> int:
        """Returns how many edges are stronger than `threshold`."""
        return int((self.weight > threshold).sum())

    def groups(self, edges: int) -> Tensor:
        """Returns the earliest node of each node's component under the strongest `edges`."""
        return _ops.components(self.nodes, self.low[:edges], self.high[:edges])


def averages(values: Tensor, group: Tensor, weight: Tensor, count: int) -> Tensor:
    """Returns the weighted sum of the rows of each group, float32 `(count, D)`, in a fixed order.

    Args:
        values: `(n, D)`.
        group: group of each row, int64 `(n,)`; negative leaves the row out, no group is empty.
        weight: weight of each row `(n,)`.
        count: number of groups.
    """
    order = torch.argsort(group, stable=True)
    order = order[int((group < 0).sum()) :]
    lengths = torch.bincount(group[order], minlength=count)
    share = weight[order, None].float()
    out = torch.empty(count, values.shape[1], device=values.device)
    for start in stoppable(range(0, values.shape[1], CHANNELS_AT_ONCE)):
        channels = slice(start, start + CHANNELS_AT_ONCE)
        part = values[:, channels][order].float().mul_(share)
        out[:, channels] = segment_sums(part, lengths)
    return out


def spanning_forest(units: Tensor, pairs: Similarities) -> Forest:
    """Returns the maximum spanning forest.

    Args:
        units: unit vectors `(nodes, D)`, to weigh the edges.
        pairs: their similarities.
    """
    group = torch.arange(pairs.nodes, device=units.device)
    value, other = pairs.best(group, None)
    joined = group[:0]
    while len(joined) < pairs.edges:
        value, other = _renewed(pairs, group, value, other)
        group, key = _joined(group, value, other)
        joined = torch.cat([joined, key])
    weight = _cosine(units, joined // pairs.nodes, joined % pairs.nodes)
    return Forest.strongest_first(joined, weight, pairs.nodes)


def _renewed(
    pairs: Similarities, group: Tensor, value: Tensor, other: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the nearest node outside of its group for every node that may decide for the group.

    An old similarity bounds the new one from above, so a node whose old one lies below what
    its group already has need not be looked at; the most promising one of a group goes first.
    """
    value, other = value.clone(), other.clone()
    for turn in stoppable(itertools.count()):
        inside = group[other] == group
        bound = _highest(group, value, ~inside)[group]
        stale = (inside & (value >= bound) & (value > -torch.inf)).nonzero().flatten()
        if not len(stale):
            break
        if turn == 0:
            promising = value[stale] >= _highest(group, value, inside)[group[stale]]
            stale = stale[promising]
        value[stale], other[stale] = pairs.best(stale, group)
    return value, other


def _joined(group: Tensor, value: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the groups after each took its strongest edge, and the keys of those edges.

    The key of an edge is `low * nodes + high`; of equally strong edges the lowest key is taken.
    """
    nodes = len(group)
    itself = torch.arange(nodes, device=group.device)
    outside = (group[other] != group) & (value > -torch.inf)
    leads = outside & (value == _highest(group, value, outside)[group])
    key = torch.minimum(itself, other) * nodes + torch.maximum(itself, other)
    none = nodes * nodes
    best = torch.full_like(group, none).scatter_reduce(0, group[leads], key[leads], "amin")
    joins = best < none
    ends = group[torch.stack([best // nodes, best % nodes]).clamp_max(nodes - 1)]
    target = torch.where(joins, torch.where(ends[0] == itself, ends[1], ends[0]), itself)
    parent = _rooted(target)
    taken = (parent != itself).nonzero().flatten()
    return _roots(parent)[group], best[taken]


def _rooted(target: Tensor) -> Tensor:
    """Returns `target` with the lowest node of each cycle pointing to itself.

    Two groups that choose each other are a cycle; rounding can make longer ones.
    """
    itself = torch.arange(len(target), device=target.device)
    lowest, jump = itself, target
    for _ in range(len(target).bit_length()):
        lowest, jump = torch.minimum(lowest, lowest[jump]), jump[jump]
    on_cycle = torch.zeros_like(target, dtype=torch.bool).index_fill_(0, jump, True)
    return torch.where(on_cycle & (lowest == itself), itself, target)


def _roots(parent: Tensor) -> Tensor:
    """Returns the root that each node leads to, where roots are their own parents."""
    for _ in range(len(parent).bit_length()):
        parent = parent[parent]
    return parent


def _highest(group: Tensor, value: Tensor, among: Tensor) -> Tensor:
    """Returns the highest value of each group among some nodes, else minus infinity, `(nodes,)`."""
    none = torch.full_like(value, -torch.inf)
    return none.scatter_reduce(0, group, torch.where(among, value, none), "amax")


def _cosine(units: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Returns the cosine of pairs, rounded to 1e-7, float32 `(E,)`.

    From the distance, which is exact to more digits than the product where two are nearly equal.
    """
    parts = [low.new_zeros(0, dtype=torch.float32)]
    pairs = zip(low.split(EDGES_AT_ONCE), high.split(EDGES_AT_ONCE), strict=True)
    for one, other in stoppable(pairs):
        parts.append((units[one] - units[other]).square().sum(1).mul(0.5))
    # Whole numbers, so that what comes out is the nearest number to a decimal fraction.
    return _ops.divided(1e7 - torch.cat(parts).mul(1e7).round(), 1e7).clamp(-1.0, 1.0)
