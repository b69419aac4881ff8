"""What does `scissor` cost, beside one matrix of similarities and a loop over the graph's edges?"""

from __future__ import annotations

from math import ceil, log
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.effort import Effort
from benchmarks.process import (
    Json,
    Laps,
    Measured,
    in_fresh_process,
    logger,
    timing,
)

if TYPE_CHECKING:
    from framesift.types.tokens import VideoTokens

GRID: Final = (14, 14)
CHANNELS: Final = 896
KEEP: Final = 0.25
KINDS: Final = ("random", "still")
MATRIX: Final = "one matrix of similarities in plain torch"
SOLVED: Final = "scissor"
PUBLISHED: Final = "scissor:threshold"
OURS: Final = "spanning forest, every threshold"
LOOP: Final = "union-find over sampled edges in Python, one threshold"
DENSE_TOKENS: Final = 3136
FRAMES: Final = 32
"""Of the video whose planning is timed."""
LONG_FRAMES: Final = 256
"""Of the video whose planning memory is measured."""
LONG_CHANNELS: Final = 64


def matrix_run(laps: Laps, *, kind: str, frames: int, rounds: int) -> Json:
    """Times planning with and without a threshold, and one matrix `(T * N, T * N)`, in turns."""
    from framesift.strategies.scissor import Scissor

    tokens = _tokens(kind, frames, CHANNELS)
    budget = round(KEEP * tokens.count)
    threshold = Scissor().solved_threshold(tokens, budget)
    flat = tokens.features.flatten(0, 1)
    for _ in range(rounds + 1):
        with laps.lap(MATRIX):
            flat @ flat.T
        with laps.lap(PUBLISHED):
            Scissor(threshold=threshold).plan(tokens, budget)
        with laps.lap(SOLVED):
            Scissor().plan(tokens, budget)
    return {"threshold": threshold}


def loop_run(laps: Laps, *, tokens: int, rounds: int) -> Json:
    """Times the components of a dense graph: two contents, each token like half of all."""
    import torch

    from framesift.strategies import _linkage, _similarities
    from framesift.strategies._pairwise import unit

    random = torch.Generator().manual_seed(0)
    contents = torch.randn(2, CHANNELS, generator=random)
    values = contents[torch.arange(tokens) % 2]
    values = values + 0.1 * torch.randn(tokens, CHANNELS, generator=random)
    for _ in range(rounds + 1):
        with laps.lap(OURS):
            units = unit(values)
            forest = _linkage.spanning_forest(units, _similarities.AllPairs(units))
    with laps.lap(LOOP):
        normal = torch.nn.functional.normalize(values, dim=1)
        linked = (normal @ normal.T > 0.9).numpy()
        loop = edge_loop(linked, np.random.default_rng(0))
    return {
        "edges": int(linked.sum()),
        "groups": [tokens - forest.edges_above(0.9), len(loop)],
    }


def memory_run(laps: Laps, *, kind: str, frames: int, channels: int) -> Json:
    """Plans once at a threshold that leaves nearly all tokens to the second step."""
    import torch

    from framesift.strategies.scissor import Scissor

    tokens = _tokens(kind, frames, channels, dtype=torch.float16)
    with laps.lap(PUBLISHED):
        plan = Scissor(threshold=0.95).plan(tokens, round(KEEP * tokens.count))
    return {"tokens_in": tokens.count, "tokens_out": plan.num_out}


def edge_loop(
    linked: np.ndarray[Any, np.dtype[np.bool_]], random: np.random.Generator, share: float = 0.05
) -> list[list[int]]:
    """Returns the components as the published description finds them, edge by edge.

    Edges of sampled nodes are joined in Python with path halving and union by rank; what no
    sampled node is linked to stays alone.

    Args:
        linked: which nodes are linked, `(n, n)`.
        random: draws the sample.
        share: the sample has `ln(n) / share^2` nodes, or all.
    """
    nodes, forest = len(linked), _UnionFind(len(linked))
    count = min(nodes, ceil(log(max(nodes, 2)) / share**2))
    sample = random.choice(nodes, count, replace=False)
    covered: set[Any] = set()
    for node in sample:
        for other in np.flatnonzero(linked[node]):
            covered.add(other)
            forest.union(node, other)
    groups: dict[int, list[int]] = {forest.find(node): [] for node in sample}
    for node in range(nodes):
        if forest.parent[node] in groups:
            groups[forest.parent[node]].append(node)
    return [*groups.values(), *([node] for node in range(nodes) if node not in covered)]


class _UnionFind:
    """Sets of nodes, with path halving and union by rank."""

    def __init__(self, nodes: int) -> None:
        self.parent, self.rank = np.arange(nodes), np.zeros(nodes, dtype=np.int64)

    def find(self, node: Any) -> Any:
        """Returns the root of a node."""
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def union(self, first: Any, second: Any) -> None:
        """Joins the sets of two nodes; on equal rank the second root goes under the first."""
        first, second = self.find(first), self.find(second)
        if first == second:
            return
        if self.rank[first] < self.rank[second]:
            first, second = second, first
        self.parent[second] = first
        self.rank[first] += self.rank[first] == self.rank[second]


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what exact components take beside one matrix and the published loop."""
    rounds = effort.planning_rounds
    runs = {
        kind: in_fresh_process(matrix_run, kind=kind, frames=FRAMES, rounds=rounds)
        for kind in KINDS
    }
    dense = in_fresh_process(loop_run, tokens=DENSE_TOKENS, rounds=rounds)
    long = in_fresh_process(memory_run, kind="random", frames=LONG_FRAMES, channels=LONG_CHANNELS)
    return {
        "question": f"plan time at {KEEP:.0%} of T x {GRID[0] * GRID[1]} float32 tokens with "
        f"{CHANNELS} channels; peer: {MATRIX}",
        "rows": [_row(kind, name, runs[kind]) for kind in KINDS for name in (PUBLISHED, SOLVED)],
        "components": _components_row(dense),
        "memory": {
            **long.facts,
            "channels": LONG_CHANNELS,
            "seconds": round(long.seconds[PUBLISHED][0], 3),
            "bytes_beside_features": long.peak_bytes - long.start_bytes,
        },
    }


def _tokens(kind: str, frames: int, channels: int, dtype: Any = None) -> VideoTokens:
    """Returns tokens without any likeness, or of places that stand still with some noise."""
    import torch

    from framesift.types.tokens import VideoTokens

    random = torch.Generator().manual_seed(0)
    shape = (frames, GRID[0] * GRID[1], channels)
    features = torch.empty(shape, dtype=dtype or torch.float32)
    places = torch.randn(shape[1:], generator=random)
    for frame in features:
        noise = torch.randn(shape[1:], generator=random)
        frame.copy_(noise if kind == "random" else places + 0.3 * noise)
    return VideoTokens(
        features=features, grid=GRID, pts_seconds=torch.arange(frames, dtype=torch.float64)
    )


def _row(kind: str, name: str, run: Measured) -> Json:
    seconds, peer = run.seconds[name][1:], median(run.seconds[MATRIX][1:])
    logger.info("%s on %s features: %.2f matrices", name, kind, median(seconds) / peer)
    return {
        "name": name,
        "features": kind,
        "threshold": round(run.facts["threshold"], 4),
        **timing(seconds),
        "peer": MATRIX,
        "peer_seconds": round(peer, 6),
        "times_peer": round(median(seconds) / peer, 2),
    }


def _components_row(run: Measured) -> Json:
    seconds, peer = run.seconds[OURS][1:], run.seconds[LOOP][0]
    return {
        "name": OURS,
        "tokens": DENSE_TOKENS,
        **run.facts,
        **timing(seconds),
        "peer": LOOP,
        "peer_seconds": round(peer, 6),
        "times_faster": round(peer / median(seconds), 1),
    }
