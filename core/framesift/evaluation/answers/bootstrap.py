"""The bootstrap over videos: answers about one video are not independent, videos are.

Videos are drawn with replacement, each with all its answers, and the figure is computed again of
each draw (Davison and Hinkley, 1997, section 3.8; https://doi.org/10.1017/CBO9780511802843). The
draws come from a fixed seed, so the same answers give the same interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

REPEATS: Final = 2000
"""Resamples of one interval."""
BOUNDS: Final = (0.025, 0.975)

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]


@lru_cache(maxsize=8)
def draws(videos: int) -> Floats:
    """Returns how often each video is in each resample, `(REPEATS, videos)`, read-only."""
    drawn = np.random.default_rng(0).integers(0, videos, (REPEATS, videos))
    cells = drawn + videos * np.arange(REPEATS)[:, None]
    counts = np.bincount(cells.ravel(), minlength=REPEATS * videos).astype(np.float64)
    counts.setflags(write=False)
    return counts.reshape(REPEATS, videos)


def sums_by_video(videos: Sequence[str], columns: npt.ArrayLike) -> Floats:
    """Returns the sums of `columns` `(answers, C)` over each video, `(V, C)`, videos by name."""
    rows = np.asarray(columns, dtype=np.float64)
    number = {name: at for at, name in enumerate(sorted(set(videos)))}
    sums = np.zeros((len(number), rows.shape[1]))
    np.add.at(sums, [number[name] for name in videos], rows)
    return sums


def ratio_interval(sums: Floats) -> Interval | None:
    """Returns the 95 % interval of the first column's sum over the second's, `(V, 2)`.

    None of a single video, which leaves nothing to draw. Resamples in which the second sum is zero
    are left out.
    """
    if len(sums) < 2:
        return None
    over, under = (draws(len(sums)) @ sums).T
    return middle(over[under != 0] / under[under != 0])


def middle(values: Floats) -> Interval:
    """Returns the bounds of the middle 95 % of `values`."""
    low, high = np.quantile(values, BOUNDS)
    return float(low), float(high)
