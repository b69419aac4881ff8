"""Kept tokens over time as bars and ticks, placed in per cent so that the plot may stretch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.types.clock import clock
from framesift.types.compressed import CompressedVideo

STEPS_SECONDS: Final = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400),
)
MOST_BARS: Final = 200
MOST_TICKS: Final = 10
LEVELS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time and the tokens that survive from it."""

    start_seconds: float
    end_seconds: float
    tokens: float
    """Tokens of the stretch; a frame counts for the time until the next one."""
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTimeline:
    """Kept tokens per second over the length of a video."""

    start_seconds: float
    end_seconds: float
    bars: tuple[Bar, ...]
    ticks_seconds: tuple[float, ...]
    levels: tuple[float, ...]
    """Ticks of the upright axis in tokens per second, from 0 to its top."""
    mean_per_second: float

    def x(self, seconds: float) -> float:
        """Returns where a time lies, in per cent from the left."""
        share = (seconds - self.start_seconds) / (self.end_seconds - self.start_seconds)
        return round(100 * min(max(share, 0), 1), 3)

    def y(self, per_second: float) -> float:
        """Returns how high a rate reaches, in per cent from the bottom."""
        return round(100 * per_second / self.levels[-1], 3)

    @property
    def decimals(self) -> int:
        """Decimals of a second that neighbouring ticks need to differ."""
        step = self.ticks_seconds[1] - self.ticks_seconds[0] if len(self.ticks_seconds) > 1 else 1
        return max(0, -math.floor(math.log10(step) + 1e-9))


def timeline(video: CompressedVideo) -> KeptTimeline:
    """Returns the kept tokens of each second, or of longer stretches in a long video."""
    seconds = video.frame_seconds.numpy()
    spacing = _spacing(video)
    first = float(seconds[0])
    # A recording cut from a broadcast may start hours into its clock.
    start = 0.0 if 0 <= first <= video.report.duration_seconds else float(math.floor(first))
    end = max(start + video.report.duration_seconds, float(seconds[-1]) + spacing)
    bars = _bars(video, seconds, spacing, start, end)
    tick = _step((end - start) / MOST_TICKS)
    return KeptTimeline(
        start_seconds=start,
        end_seconds=end,
        bars=bars,
        ticks_seconds=_multiples(start, end, tick),
        levels=_levels(max(bar.per_second for bar in bars)),
        mean_per_second=video.plan.num_out / (end - start),
    )


def moment_decimals(video: CompressedVideo) -> int:
    """Returns the decimals of a second that all sampled frames need to differ, at most two."""
    seconds = video.frame_seconds.tolist()
    # Frames sampled each second lie a little off it: two of them may be cut to the same one.
    return next(
        (few for few in (0, 1) if len({clock(each, few) for each in seconds}) == len(seconds)), 2
    )


def _spacing(video: CompressedVideo) -> float:
    gaps = video.frame_seconds.diff()
    if len(gaps) and float(gaps.median()) > 0:
        return float(gaps.median())
    return min(1 / video.report.fps, video.report.duration_seconds or 1.0)


def _bars(
    video: CompressedVideo,
    seconds: npt.NDArray[np.float64],
    spacing: float,
    start: float,
    end: float,
) -> tuple[Bar, ...]:
    width = _step(max(1.0, 0.95 * spacing, (end - start) / MOST_BARS))
    # A last bar of a few hundredths of a second joins the one before it.
    count = max(1, math.ceil((end - start) / width - 0.1))
    edges = np.append(start + width * np.arange(count), end)
    tokens = np.diff(_tokens_until(edges, *_spans(video, seconds, spacing)))
    return tuple(
        Bar(start_seconds=low, end_seconds=high, tokens=count, per_second=count / (high - low))
        for low, high, count in zip(
            edges[:-1].tolist(), edges[1:].tolist(), tokens.tolist(), strict=True
        )
    )


def _spans(
    video: CompressedVideo, seconds: npt.NDArray[np.float64], spacing: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Returns what tokens stand for as times from and until, and how many: frames or segments."""
    if (segments := video.report.segments) is None:
        ends = np.minimum(seconds + spacing, np.append(seconds[1:], np.inf))
        return seconds, ends, video.plan.frame_counts().numpy()
    starts = np.array([segment.start_seconds for segment in segments])
    ends = np.append(starts[1:], segments[-1].end_seconds + spacing)
    counts = np.array([each.key_tokens + each.temporal_tokens for each in segments])
    return starts, ends, counts


def _tokens_until(
    times: npt.NDArray[np.float64],
    starts: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Returns the tokens kept before each of `times`; each frame is spent evenly while it is shown.

    Frames of a 12.5 fps stream lie at 0.96, 2.0, 3.04 s; counted at these instants, one second
    would look empty and the next one twice as full.
    """
    corners = np.stack([starts, ends], axis=1).ravel()
    spent = np.cumsum(np.stack([np.zeros_like(counts), counts], axis=1).ravel())
    until: npt.NDArray[np.float64] = np.interp(times, corners, spent)
    return until


def _step(least: float) -> float:
    return next((step for step in STEPS_SECONDS if step >= least), STEPS_SECONDS[-1])


def _multiples(start: float, end: float, step: float) -> tuple[float, ...]:
    first = math.ceil(start / step - 1e-9)
    return tuple(i * step for i in range(first, math.floor(end / step + 1e-9) + 1))


def _levels(highest: float) -> tuple[float, ...]:
    """Returns round numbers from 0 to at least `highest`, at most five."""
    least = max(highest, 1e-9) / LEVELS
    power = 10.0 ** math.floor(math.log10(least))
    step = next(
        power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least * (1 - 1e-9)
    )
    return tuple(step * i for i in range(math.ceil(highest / step - 1e-9) + 1))
