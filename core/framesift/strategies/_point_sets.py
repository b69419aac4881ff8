"""Points of a video in sets that are each reduced to a few rows of a plan, many sets at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from framesift.strategies._blocks import BLOCK_BYTES, CACHED_BYTES, batches, rows_at, sum_runs
from framesift.strategies._rows import PlanRows
from framesift.strategies._static import StillSegments
from framesift.strategies.dpc_knn import centers, cluster
from framesift.types.tokens import VideoTokens

PARTS = 16
"""Most parts in which a CPU averages points over time, if all would fit into a block."""
Weigh = Callable[[Tensor, Tensor, int], Tensor]
"""Returns the weight of each point, given its row, whether it is a centre, and the rows' number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSets:
    """Sets of points; a point is a place of one frame, or of several: their mean."""

    tokens: VideoTokens
    starts: Sequence[int]
    """First frame of each set."""
    lengths: Sequence[int]
    """Frames of each set."""
    places: Tensor
    """Places on the grid that are points of each set, bool `(S, N)`."""
    sizes: Sequence[int]
    """Points of each set."""

    @classmethod
    def of_segments(cls, segments: StillSegments, tokens: VideoTokens) -> PointSets:
        """Returns the still places of each segment and then the others of each of its frames.

        These sets are in time order; some of them may be empty.
        """
        lengths = torch.tensor(segments.lengths)
        owner = torch.arange(len(lengths)).repeat_interleave(lengths)
        frames = torch.arange(len(owner))
        starts, spans = (torch.empty(len(lengths) + len(owner), dtype=torch.int64) for _ in "ab")
        places = torch.empty(len(starts), tokens.tokens_per_frame, dtype=torch.bool)
        first = lengths.cumsum(0) - lengths
        still, moving = first + torch.arange(len(lengths)), frames + owner + 1
        starts[still], spans[still], places[still] = first, lengths, segments.still
        starts[moving], spans[moving] = frames, 1
        places[moving] = tokens.live.cpu() & ~segments.still[owner]
        return cls(
            tokens=tokens,
            starts=starts.tolist(),
            lengths=spans.tolist(),
            places=places.to(tokens.features.device),
            sizes=places.sum(1).tolist(),
        )

    @classmethod
    def of_frames(cls, places: Tensor, sizes: Sequence[int], tokens: VideoTokens) -> PointSets:
        """Returns some `places` `(T, N)` of each frame, `sizes` of them, as a set each."""
        count = tokens.frame_count
        return cls(
            tokens=tokens, starts=range(count), lengths=[1] * count, places=places, sizes=sizes
        )

    def reduce_to(
        self, rows: PlanRows, counts: Sequence[int], *, neighbors: int, weigh: Weigh
    ) -> None:
        """Adds the rows of `counts` clusters of each set (DPC-KNN); 0 leaves a set out.

        Args:
            rows: where the rows go.
            counts: clusters of each set, at most its size.
            neighbors: nearest points, itself among them, by which a point's density is measured.
            weigh: what a point counts in its cluster's row; the frames of a point share it.
        """
        for batch, is_whole in self._batches(counts):
            given = torch.tensor([counts[i] for i in batch.sets], device=self.places.device)
            if is_whole:
                label = torch.arange(batch.live.shape[1], device=given.device).expand_as(batch.live)
                is_center = batch.live
            else:
                found = cluster(batch.points(), batch.live, given, neighbors)
                label, is_center = found.label, found.is_center
            count = sum(counts[i] for i in batch.sets)
            row = (label + (given.cumsum(0) - given)[:, None]).flatten()[batch.flat]
            weight = weigh(row, is_center.flatten()[batch.flat], count)
            batch.add_to(rows, row, weight, count)

    def centers(self, counts: Sequence[int], *, neighbors: int) -> Tensor:
        """Returns the `counts` places of each set that are centres of clusters, bool `(S, N)`.

        Arguments are those of `reduce_to`.
        """
        chosen = torch.zeros_like(self.places)
        for batch, is_whole in self._batches(counts):
            given = torch.tensor([counts[i] for i in batch.sets], device=chosen.device)
            found = batch.live
            if not is_whole:
                found = centers(batch.points(), batch.live, given, neighbors)
            batch.mark(chosen, found)
        return chosen

    def _batches(self, counts: Sequence[int]) -> Iterator[tuple[_Batch, bool]]:
        """Yields sets that go together, and whether their points all become rows."""
        channels = self.tokens.features.shape[2]
        for several in (False, True):
            for is_whole in (True, False):
                chosen = [
                    i
                    for i, (size, count) in enumerate(zip(self.sizes, counts, strict=True))
                    if count and (count == size) == is_whole and (self.lengths[i] > 1) == several
                ]
                sizes = [self.sizes[i] for i in chosen]
                width = [8 if is_whole else 4 * max(size, channels) for size in sizes]
                memory = [size * each for size, each in zip(sizes, width, strict=True)]
                for members in batches(sizes, memory):
                    yield _Batch(self, [chosen[i] for i in members]), is_whole


class _Batch:
    """Sets of like size side by side, filled up to the size `n` of the largest."""

    def __init__(self, of: PointSets, sets: Sequence[int]) -> None:
        self._tokens = of.tokens
        self.sets = sets
        device, sizes = of.places.device, np.array([of.sizes[i] for i in sets])
        most = int(sizes.max())
        filled = np.arange(most) < sizes[:, None]
        self._lengths = np.array([of.lengths[i] for i in sets]).repeat(sizes)
        self.flat = torch.from_numpy(np.flatnonzero(filled)).to(device)
        """Where the points are among all `S * n`, `(P,)`."""
        self.live = torch.from_numpy(filled).to(device)
        """Which of the `n` are points, bool `(S, n)`."""
        self._index = torch.tensor(sets, device=device)[:, None]
        own = (~of.places[self._index[:, 0]]).byte()
        self._place = own.argsort(dim=1, stable=True)[:, :most]
        starts = torch.tensor([of.starts[i] for i in sets], device=device)[:, None]
        self._first = starts * of.tokens.tokens_per_frame + self._place

    def points(self) -> Tensor:
        """Returns the features of all points, float32 `(S, n, D)`, for the caller to change."""
        flat = self._tokens.features.flatten(0, 1)
        if self._lengths.max() == 1:
            return rows_at(flat, self._first).float()
        out = torch.zeros(*self.live.shape, flat.shape[1], device=flat.device)
        first, done = self._first.flatten()[self.flat], 0
        # As many points at a time as their frames fit into memory, one at least.
        ends, room = self._lengths.cumsum(), BLOCK_BYTES
        if flat.device.type == "cpu":
            room = min(room, max(CACHED_BYTES // 2, 4 * flat.shape[1] * int(ends[-1]) // PARTS))
        room //= 4 * flat.shape[1]
        while done < len(ends):
            before = ends[done] - self._lengths[done]
            stop = max(done + 1, int(np.searchsorted(ends, before + room, side="right")))
            means = self._means(first[done:stop], self._lengths[done:stop])
            out.flatten(0, 1).index_copy_(0, self.flat[done:stop], means)
            done = stop
        return out

    def add_to(self, rows: PlanRows, row: Tensor, weight: Tensor, count: int) -> None:
        """Adds `count` rows: `row` and `weight` `(P,)` are those of each point."""
        source, total = self._first.flatten()[self.flat], int(self._lengths.sum())
        if total > len(self._lengths):
            lengths = torch.from_numpy(self._lengths).to(row.device)
            weight = weight / lengths
            row, weight = (
                each.repeat_interleave(lengths, output_size=total) for each in (row, weight)
            )
            source = _spread(source, self._lengths, self._tokens.tokens_per_frame)
        rows.add(row, source, weight, count=count)

    def mark(self, mask: Tensor, chosen: Tensor) -> None:
        """Writes which points are `chosen` `(S, n)` into a `mask` of the places of all sets."""
        mask[self._index, self._place] = chosen

    def _means(self, first: Tensor, lengths: np.ndarray) -> Tensor:
        """Returns the mean over `lengths` frames of each point, of tokens `first` and later."""
        flat, patches = self._tokens.features.flatten(0, 1), self._tokens.tokens_per_frame
        # The first of the pairs that `sum_runs` adds are added as they are read.
        pairs, halves = lengths // 2, (lengths + 1) // 2
        sums = rows_at(flat, _spread(first, halves, 2 * patches)).float()
        into = torch.from_numpy((halves.cumsum() - halves).repeat(pairs) + _within(pairs))
        second = rows_at(flat, _spread(first + patches, pairs, 2 * patches)).float()
        sums = sum_runs(sums.index_add_(0, into.to(first.device), second), halves)
        return sums / torch.from_numpy(lengths).to(first.device)[:, None]


def _within(lengths: np.ndarray) -> np.ndarray:
    """Returns 0, 1, 2 and so on for each run, one run after another."""
    first = (lengths.cumsum() - lengths).repeat(lengths)
    within: np.ndarray = np.arange(len(first)) - first
    return within


def _spread(first: Tensor, lengths: np.ndarray, step: int) -> Tensor:
    """Returns `lengths` numbers from each `first` on, a `step` apart, one run after another."""
    repeats = torch.from_numpy(lengths).to(first.device)
    further = torch.from_numpy(_within(lengths) * step).to(first.device)
    return first.repeat_interleave(repeats, output_size=int(lengths.sum())) + further
