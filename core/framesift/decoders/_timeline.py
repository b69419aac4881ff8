"""Reads the packets of a file into the times of every frame, without decoding more than one."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.format import Flags
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framesift.decoders import _clock, _container
from framesift.decoders._clock import Stamp
from framesift.decoders._orientation import Orientation
from framesift.decoders.base import FrameIndex
from framesift.errors import CorruptVideoError
from framesift.types.video import VideoInfo

GENERIC_INDEX: Final = int(cast(int, Flags.generic_index.value))
"""Set on formats that have no index of their own: a jump may lead nowhere."""
CUT_SECONDS: Final = 1.0
"""A stream that ends this much before its announced end is cut off, not rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The frames that a stream shows, and what is needed to find them again."""

    index: FrameIndex
    ticks: npt.NDArray[np.int64]
    """What tells decoded frames apart `(F,)`: their pts, or a running count where `counted`."""
    counted: bool
    """Whether the container stores no presentation times (AVI, raw streams)."""
    keys: npt.NDArray[np.int64]
    """Positions of the frames that decoding can start from; empty where one cannot jump."""
    time_base: Fraction
    start_tick: int
    """The stream's own start, on the clock of its pts."""
    orientation: Orientation
    is_first_stream: bool
    """Whether no other video or cover comes before the stream."""
    is_cut: bool
    """Whether the file breaks off before its announced end."""

    def position(self, tick: int | None) -> int | None:
        """Returns the position of the frame that carries `tick`, None where none does."""
        found = int(np.searchsorted(self.ticks, -1 if tick is None else tick))
        return found if found < len(self.ticks) and self.ticks[found] == tick else None


class _Scan(NamedTuple):
    stamps: list[Stamp]
    first: VideoFrame
    ends_corrupt: bool


def read_timeline(path: Path) -> Timeline:
    """Returns the timeline of the main video stream, read anew once the file changes.

    Time zero is where the container starts, so a stream that starts late keeps its distance to
    sound and subtitles. What comes before the first frame that decodes is not counted as shown.

    Raises:
        CorruptVideoError: the file cannot be opened, or not one frame decodes.
        NoVideoStreamError: the file has no video stream.
    """
    facts = path.stat()
    return _read(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=2)
def _read(path: Path, modified_ns: int, size_bytes: int) -> Timeline:
    with _container.open_video(path) as (container, stream):
        scan = _scan(container, stream)
        if scan is None:
            raise CorruptVideoError(
                f"{path.name!r} has a {stream.codec_context.name} stream, but not one frame of it "
                "can be decoded; give an undamaged file"
            )
        return _timeline(container, stream, scan)


def _scan(container: InputContainer, stream: VideoStream) -> _Scan | None:
    stamps, first, ends_corrupt = [], None, False
    for packet in _container.packets(container, stream):
        if first is None:
            first = next(iter(_container.decode(packet)), None)
        if packet.size:
            ends_corrupt = packet.is_corrupt
        if packet.size and not packet.is_corrupt and not packet.is_discard:
            duration = packet.duration or 0
            stamps.append(Stamp(packet.pts, packet.dts, duration, packet.is_keyframe))
    return _Scan(stamps, first, ends_corrupt) if first and stamps else None


def _timeline(container: InputContainer, stream: VideoStream, scan: _Scan) -> Timeline:
    counted = container.format.name == "avi" or any(s.pts is None for s in scan.stamps)
    times = (
        _clock.counted_times(stream, scan.stamps)
        if counted
        else _clock.stored_times(scan.stamps, scan.first.pts)
    )
    base = stream.time_base or Fraction(1)
    last_ticks = _clock.last_duration(stream, scan.stamps, times)
    duration_seconds = (float(times[-1] - times[0]) + last_ticks) * float(base)
    first_seconds = int(times[0]) * base
    zero_ticks = float(_clock.container_start(container, first_seconds) / base)
    pts_seconds = np.multiply(times - zero_ticks, float(base), dtype=np.float64)
    announced_seconds = float((_clock.announced_end(stream) or first_seconds) - first_seconds)
    can_jump = not counted and not container.format.flags & GENERIC_INDEX
    keys = [stamp.pts for stamp in scan.stamps if stamp.is_key and stamp.pts is not None]
    return Timeline(
        index=_index(stream, scan, pts_seconds, duration_seconds),
        ticks=np.arange(len(times)) if counted else times,
        counted=counted,
        keys=np.flatnonzero(np.isin(times, keys) & can_jump),
        time_base=base,
        start_tick=stream.start_time or 0,
        orientation=Orientation.of(scan.first),
        is_first_stream=stream is container.streams.video[0],
        is_cut=scan.ends_corrupt or announced_seconds - duration_seconds > CUT_SECONDS,
    )


def _index(
    stream: VideoStream,
    scan: _Scan,
    pts_seconds: npt.NDArray[np.float64],
    duration_seconds: float,
) -> FrameIndex:
    orientation = Orientation.of(scan.first)
    width_px = max(1, round(scan.first.width * (stream.sample_aspect_ratio or 1)))
    width_px, height_px = orientation.size(width_px, scan.first.height)
    info = VideoInfo(
        width_px=width_px,
        height_px=height_px,
        duration_seconds=duration_seconds,
        start_seconds=float(pts_seconds[0]),
        frame_count=len(pts_seconds),
        average_fps=len(pts_seconds) / duration_seconds,
        codec=stream.codec_context.codec.canonical_name,
        rotation_degrees=orientation.degrees,
    )
    return FrameIndex(info=info, pts_seconds=pts_seconds)
