"""The times of steps of several frames, as families write or count them."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from framesift.types.compressed import CompressedVideo

UNEVEN_SECONDS: Final = 2e-3
"""By how much steps of one length may differ, for containers round times to milliseconds."""


def frame_gap(video: CompressedVideo, frames_per_step: int) -> float:
    """Returns the mean seconds from one sampled frame to the next.

    The family's processor reads nothing of their times but the mean rate. Rounded to microseconds,
    so that a container's clock cannot shift a position by rounding.

    Args:
        video: the compressed video.
        frames_per_step: how many of them the model joins.
    """
    times = step_times(video, frames_per_step)
    joined, repeated = times.shape[1], int((times[-1] == times[-1, -1]).sum()) - 1
    gaps = times.numel() - repeated - 1
    if not gaps:
        return 1 / video.report.fps
    return round(float(times[-1, -1] - times[0, 0]) / gaps * joined / frames_per_step, 6)


def step_middles(video: CompressedVideo, frames_per_step: int) -> list[float]:
    """Returns the seconds half way between the first and the last frame of each time step."""
    times = step_times(video, frames_per_step)
    middles: list[float] = ((times[:, 0] + times[:, -1]) / 2).tolist()
    return middles


def step_times(video: CompressedVideo, frames_per_step: int) -> Tensor:
    """Returns the times of the frames of each time step, `(T, S)`; the last may be repeated.

    Tokens that were made elsewhere may know the first frame of each step only. If these are evenly
    spaced, so are the frames between them; else each step has the one time that is known.
    """
    if video.step_seconds is not None:
        return video.step_seconds
    first = video.frame_seconds
    gaps = first.diff()
    if len(gaps) and float(gaps.max() - gaps.min()) > UNEVEN_SECONDS:
        return first[:, None]
    gap = float(gaps.mean()) / frames_per_step if len(gaps) else 1 / video.report.fps
    times = first[:, None] + gap * torch.arange(frames_per_step)
    last = times[-1] < float(first[0]) + video.report.duration_seconds - UNEVEN_SECONDS
    times[-1, 1:] = times[-1, 1:].where(last[1:], times[-1, max(0, int(last.sum()) - 1)])
    return times
