"""The division of a video that saves most tokens when still places are merged over time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._static import StillSegments, stillest


def best_segments(
    similarity: Tensor, *, threshold: float, window: int, allowed: int
) -> StillSegments:
    """Returns the best segments, with the places that stand still in each.

    Args:
        similarity: of each token to the next frame's at its place, `(T - 1, N)` on the CPU.
        threshold: a place moves where its similarity is not above it.
        window: most frames in a segment.
        allowed: most tokens that may be saved; where the segments save more, the places that
            change most do not count as still.
    """
    lengths = best_lengths(similarity > threshold, window)[1][::-1]
    sizes = torch.tensor(lengths)
    owner = torch.arange(len(sizes)).repeat_interleave(sizes)
    within = (owner[1:] == owner[:-1]).nonzero().flatten()
    likeness = similarity.new_full((len(sizes), similarity.shape[1]), _ops.NEVER)
    places = owner[within, None].expand(-1, similarity.shape[1])
    likeness.scatter_reduce_(0, places, similarity[within], "amin", include_self=False)
    still = stillest(likeness, sizes, threshold=threshold, allowed=allowed)
    return StillSegments(lengths=lengths, still=still)


def best_lengths(same: Tensor, window: int) -> tuple[int, list[int]]:
    """Returns how many tokens the best segments save, and their lengths from the last to the first.

    A segment of `w` frames saves `w - 1` tokens for each place that stands still throughout. On a
    tie the last frame stands alone, then the shorter last segment wins. Time grows with `T` times
    the longest stretch of frames over which any place stands still.

    Args:
        same: whether a place stands still until the next frame, bool `(T - 1, N)` on the CPU.
        window: most frames in a segment.
    """
    # A recurrence over time on small numbers: numpy, since its steps are not a device's.
    moves, total = ~same.numpy(), len(same) + 1
    saved, length = np.zeros(total + 1, dtype=np.int64), np.ones(total + 1, dtype=np.int64)
    run = np.zeros(same.shape[1], dtype=np.int64)
    for stop in stoppable(range(2, total + 1)):
        run += 1
        run[moves[stop - 2]] = 0
        saved[stop] = saved[stop - 1]
        longest = min(window, int(run.max()) + 1)
        if longest < 2:
            continue
        still = np.bincount(np.minimum(run, longest - 1), minlength=longest)
        at_least = still[::-1].cumsum()[-2::-1]
        gains = saved[stop - longest : stop - 1][::-1] + at_least * np.arange(1, longest)
        best = int(gains.argmax())
        if gains[best] > saved[stop]:
            saved[stop], length[stop] = gains[best], best + 2
    lengths, stop = [], total
    while stop:
        lengths.append(int(length[stop]))
        stop -= lengths[-1]
    return int(saved[total]), lengths
