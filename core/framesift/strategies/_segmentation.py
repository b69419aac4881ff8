"""The division of a video that saves most tokens when still places are merged over time."""

from __future__ import annotations

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._static import FrameRun, stillest


def best_segments(
    similarity: Tensor, *, threshold: float, window: int, allowed: int
) -> list[FrameRun]:
    """Returns the best segments, with the places that stand still in each.

    Args:
        similarity: of each token to the next frame's at its place, `(T - 1, N)` on the CPU.
        threshold: a place moves where its similarity is not above it.
        window: most frames in a segment.
        allowed: most tokens that may be saved; where the segments save more, the places that
            change most do not count as still.
    """
    lengths = best_lengths(similarity > threshold, window)[1][::-1]
    stops = torch.tensor(lengths).cumsum(0)
    spans = list(zip((stops - torch.tensor(lengths)).tolist(), stops.tolist(), strict=True))
    alone = similarity.new_full((similarity.shape[1],), _ops.NEVER)
    likeness = torch.stack(
        [
            similarity[start : stop - 1].amin(0) if stop - start > 1 else alone
            for start, stop in spans
        ]
    )
    still = stillest(likeness, torch.tensor(lengths), threshold=threshold, allowed=allowed)
    return [
        FrameRun(start=start, stop=stop, still=mask)
        for (start, stop), mask in zip(spans, still, strict=True)
    ]


def best_lengths(same: Tensor, window: int) -> tuple[int, list[int]]:
    """Returns how many tokens the best segments save, and their lengths from the last to the first.

    A segment of `w` frames saves `w - 1` tokens for each place that stands still throughout. On a
    tie the last frame stands alone, then the shorter last segment wins. Time grows with `T` times
    the longest stretch of frames over which any place stands still.

    Args:
        same: whether a place stands still until the next frame, bool `(T - 1, N)` on the CPU.
        window: most frames in a segment.
    """
    total = len(same) + 1
    saved = torch.zeros(total + 1, dtype=torch.int64)
    length = torch.ones(total + 1, dtype=torch.int64)
    run = torch.zeros(same.shape[1], dtype=torch.int64)
    for stop in stoppable(range(2, total + 1)):
        run = (run + 1) * same[stop - 2]
        saved[stop] = saved[stop - 1]
        longest = min(window, int(run.max()) + 1)
        if longest < 2:
            continue
        still = torch.bincount(run.clamp_max(longest - 1), minlength=longest)
        at_least = still.flip(0).cumsum(0).flip(0)[1:]
        before = saved[stop - longest : stop - 1].flip(0)
        best, steps = (before + at_least * torch.arange(1, longest)).max(0)
        if best > saved[stop]:
            saved[stop], length[stop] = best, steps + 2
    lengths, stop = [], total
    while stop:
        lengths.append(int(length[stop]))
        stop -= lengths[-1]
    return int(saved[total]), lengths
