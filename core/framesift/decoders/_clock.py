"""When the frames of a stream are shown, in ticks of its time base, from its packets."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from av.stream import Stream
from av.video.stream import VideoStream

Ticks = npt.NDArray[np.int64]

FALLBACK_FPS: Final = Fraction(25)
"""What libav assumes, too, where a raw stream does not say."""


class Stamp(NamedTuple):
    """What one packet says about the frame in it."""

    pts: int | None
    dts: int | None
    duration: int
    is_key: bool
    size_bytes: int = 0


def stored_times(stamps: list[Stamp], first: int | None) -> Ticks:
    """Returns the presentation times `(F,)` from `first` on, the earliest frame that decodes."""
    times = np.unique([stamp.pts for stamp in stamps if stamp.pts is not None])
    return times if first is None else times[times >= first]


def counted_times(stream: VideoStream, stamps: list[Stamp]) -> Ticks:
    """Returns times `(F,)` where the container stores none: the n-th frame shown gets the n-th.

    AVI numbers its packets, empty ones included; raw streams have only a frame rate.
    """
    decode_times = [stamp.dts for stamp in stamps if stamp.dts is not None]
    if len(decode_times) == len(stamps):
        return np.sort(decode_times)
    return np.arange(len(stamps)) * round(frame_ticks(stream))


def filled_times(stream: VideoStream, stamps: list[Stamp]) -> Ticks:
    """Returns one time for each frame shown `(F,)`, where a container stores only some of them.

    A unit of MPEG-TS or -PS has one time, even if it holds several frames. The others lie between
    those that are known, a frame apart; the narrowest gaps are filled first, as a wide one may be a
    picture that stands, or frames that are lost.
    """
    known = np.unique([stamp.pts for stamp in stamps if stamp.pts is not None])
    step, missing = max(1, round(frame_ticks(stream))), len(stamps) - len(known)
    gaps = np.diff(known)
    between: list[int] = []
    for place in np.argsort(gaps, kind="stable").tolist():
        fitting = min(missing - len(between), round(gaps[place] / step) - 1)
        between += (int(known[place]) + step * number for number in range(1, fitting + 1))
    behind = known[-1] + step * np.arange(1, missing - len(between) + 1)
    return np.sort(np.concatenate([known, np.array(between, dtype=np.int64), behind]))


def container_start(streams: Iterable[Stream], first: Fraction) -> Fraction:
    """Returns the seconds at which the first of `streams` starts, at the latest `first`."""
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None and stream.time_base
    ]
    return min([first, *starts])


def last_duration(stream: VideoStream, stamps: list[Stamp], times: Ticks, fields: bool) -> float:
    """Returns how many ticks the last frame lasts, from its packet or else its neighbours.

    Where `fields` is set, packets may hold half a frame, and last half as long.
    """
    durations = [stamp.duration for stamp in stamps if stamp.pts == times[-1] and stamp.duration]
    typical = float(np.median(np.diff(times))) if len(times) > 1 else frame_ticks(stream)
    return durations[0] if durations and not fields else typical


def announced_end(stream: Stream) -> Fraction | None:
    """Returns the seconds at which the container says that the stream ends, if it does."""
    if stream.duration is None or not stream.time_base:
        return None
    return ((stream.start_time or 0) + stream.duration) * stream.time_base


def frame_ticks(stream: VideoStream) -> float:
    """Returns how many ticks a frame lasts at the rate that the stream announces."""
    rate = stream.average_rate or stream.guessed_rate or FALLBACK_FPS
    return float(1 / (rate * (stream.time_base or 1)))
