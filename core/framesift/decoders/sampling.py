"""Which frames are on the screen at given times: the rule that every sampler shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from framesift.decoders.base import FrameIndex
from framesift.errors import InvalidOptionError
from framesift.types.options import shown
from framesift.types.video import VideoInfo

TOLERANCE_SECONDS: Final = 1e-3
"""Matroska rounds times to milliseconds, so a frame counts as shown this much early."""


def at_fps(
    index: FrameIndex, fps: float, part_seconds: tuple[float, float] | None = None
) -> list[int]:
    """Returns the frames shown at `1 / fps` intervals from the first frame on, each only once.

    Args:
        index: the frames of the video.
        fps: frames per second.
        part_seconds: start and end of the part to sample, from its start on; None for all.

    Raises:
        InvalidOptionError: `fps` is not a positive number, or the part begins after the end.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise InvalidOptionError(
            f"fps={fps!r} must be a number above 0 (frames per second); try 1.0 for talks"
        )
    pts = index.pts_seconds
    start, end = covered(index.info, part_seconds)
    edges = np.append(pts, pts[0] + index.info.duration_seconds)
    gaps = np.diff(edges - pts[0])
    if len(gaps) > 1:  # how much longer the last frame stays says nothing of the rate
        gaps[-1] = min(gaps[-1], gaps[:-1].mean())
    is_steady = np.ptp(gaps) <= 2 * TOLERANCE_SECONDS
    if is_steady and 1 / fps <= gaps.mean() + TOLERANCE_SECONDS / len(gaps):
        if part_seconds is None:
            return list(range(len(pts)))
        within: list[int] = np.flatnonzero((edges[1:] > start) & (edges[:-1] < end)).tolist()
        return within
    edges = edges.clip(start, end) - start
    samples_before = np.ceil((edges - TOLERANCE_SECONDS) * fps)
    kept: list[int] = np.flatnonzero(np.diff(samples_before) > 0).tolist()
    return kept or [0]


def covered(info: VideoInfo, part_seconds: tuple[float, float] | None) -> tuple[float, float]:
    """Returns where a part of a video starts and ends on its clock, or all of it for None.

    Raises:
        InvalidOptionError: the video shows nothing then.
    """
    first, last = info.start_seconds, info.start_seconds + info.duration_seconds
    if part_seconds is None:
        return first, last
    start, end = max(first, part_seconds[0]), min(last, part_seconds[1])
    if start >= end:
        raise InvalidOptionError(
            f"the part from {part_seconds[0]:g} to {part_seconds[1]:g} s holds nothing of a video "
            f"that is shown from {first:g} to {last:g} s; ask for a part of that"
        )
    return start, end


def at_times(index: FrameIndex, times_seconds: Sequence[float]) -> list[int]:
    """Returns the frame shown at each time, one for one, so close times may repeat a frame.

    A time before the first frame gives the first one, a time after the end the last one.

    Raises:
        InvalidOptionError: a time is negative or not a number, or the times descend.
    """
    times = np.asarray(ascending(times_seconds))
    places = np.searchsorted(index.pts_seconds - TOLERANCE_SECONDS, times, side="right") - 1
    kept: list[int] = np.maximum(places, 0).tolist()
    return kept


def ascending(times_seconds: Sequence[float]) -> list[float]:
    """Returns times of frames as Python's own numbers.

    Raises:
        InvalidOptionError: one is negative or not a number, they descend, or the list is empty.
    """
    try:
        times = np.asarray(times_seconds)
        right = times.ndim == 1 and times.dtype.kind in "iuf"
        if right and np.isfinite(times).all() and (times >= 0).all():
            listed: list[float] = times.astype(np.float64).tolist()
            if all(one <= other for one, other in pairwise(listed)):
                return listed
    except (TypeError, ValueError):  # not one row of numbers
        pass
    raise InvalidOptionError(
        f"times_seconds={shown(times_seconds)} must be numbers from 0 up in ascending order; "
        "sort them and drop what is not a time"
    )
