"""Reads the packets of a file into the times of every frame, without decoding more than one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.format import Flags
from av.video.stream import VideoStream

from framesift.decoders import _clock, _container, _declared
from framesift.decoders._boundary import check_pixels
from framesift.decoders._jumps import Jump, described
from framesift.decoders._orientation import Orientation
from framesift.decoders._scan import DISCONTINUOUS, Scan, scan
from framesift.decoders.base import FrameIndex
from framesift.errors import CorruptVideoError
from framesift.types.video import MAX_PIXELS, VideoInfo

GENERIC_INDEX: Final = int(cast(int, Flags.generic_index.value))
"""Set on formats that have no index of their own: a jump may lead nowhere."""
CUT_SECONDS: Final = 1.0
"""A stream that ends this much before its announced end is cut off, not rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The frames that a stream shows, and what is needed to seek to them."""

    index: FrameIndex
    ticks: npt.NDArray[np.int64]
    """What tells decoded frames apart `(F,)`: their pts, or a running count where `counted`."""
    counted: bool
    """Whether the container stores no presentation times (AVI, raw streams)."""
    mended: list[int | None] | None
    """The pts that each packet gets where the clock jumps, None where it does not."""
    intact: frozenset[int | None]
    """Pts of packets that are to be decoded though they are called corrupt."""
    has_fields: bool
    """Whether some packets hold a single field, of which nothing may be skipped."""
    keys: npt.NDArray[np.int64]
    """Positions of the frames that decoding can start from; empty where one cannot jump."""
    time_base: Fraction
    start_tick: int
    """The stream's own start, on the clock of its pts."""
    orientation: Orientation
    stream_index: int
    """Which of all streams of the file it is."""
    is_first_stream: bool
    """Whether no other video or cover comes before the stream."""
    zero_seconds: float
    """Where time zero lies on the clock of the container."""
    jumps: tuple[Jump, ...]
    """Where the clock of the stream jumps, in ticks of its time base."""

    def position(self, tick: int | None) -> int | None:
        """Returns the position of the frame that carries `tick`, None where none does."""
        scanned = int(np.searchsorted(self.ticks, -1 if tick is None else tick))
        return scanned if scanned < len(self.ticks) and self.ticks[scanned] == tick else None

    def stored_size(self, size_px: tuple[int, int] | None) -> tuple[int, int]:
        """Returns the size `(H, W)`, for display where it is None, as it is before any turn."""
        info = self.index.info
        return self.orientation.size(*(size_px or (info.height_px, info.width_px)))


def read_timeline(path: Path, max_pixels: int = MAX_PIXELS) -> Timeline:
    """Returns the timeline of the main video stream, read anew once the file changes.

    Time zero is where the container starts, so a stream that starts late keeps its distance to
    sound and subtitles. What comes before the first frame that decodes is not counted as shown.

    Raises:
        CorruptVideoError: the file cannot be opened, or not one frame decodes.
        NoVideoStreamError: the file has no video stream.
        VideoTooLargeError: its pictures have more than `max_pixels`.
    """
    facts = path.stat()
    return _read(path, facts.st_mtime_ns, facts.st_size, max_pixels)


@lru_cache(maxsize=2)
def _read(path: Path, modified_ns: int, size_bytes: int, max_pixels: int) -> Timeline:
    with _container.open_video(path, max_pixels) as (container, stream):
        scanned = scan(container, stream)
        if scanned is None:
            raise CorruptVideoError(
                f"{path.name!r} has a {stream.codec_context.name} stream, but not one frame of it "
                f"can be decoded{_or_large(stream, max_pixels)}; give an undamaged file"
            )
        timeline = _timeline(path, container, stream, scanned)
    info = timeline.index.info
    check_pixels(path.name, info.width_px, info.height_px, max_pixels)
    return timeline


def _or_large(stream: VideoStream, max_pixels: int) -> str:
    """Returns what may be the case, too, where only frames say how large they are."""
    known = stream.codec_context.width
    return "" if known else f", or its pictures have more than {max_pixels} pixels"


def _timeline(
    path: Path, container: InputContainer, stream: VideoStream, scanned: Scan
) -> Timeline:
    times = _times(container, stream, scanned)
    base = stream.time_base or Fraction(1)
    last_ticks = _clock.last_duration(stream, scanned.stamps, times, scanned.has_fields)
    streams = [stream, *_container.heard_with(container, stream)]
    zero_ticks = float(_clock.container_start(streams, int(times[0]) * base) / base)
    pts_seconds = np.multiply(times - zero_ticks, float(base), dtype=np.float64)
    last_seconds = (float(times[-1]) - zero_ticks + last_ticks) * float(base)
    zero_seconds = zero_ticks * float(base)
    is_cut = _is_cut(path, container, stream, scanned, last_seconds + zero_seconds)
    declared = None if is_cut else _declared.declared_seconds(path, container.format.name)
    ends = [last_seconds, declared or last_seconds]
    subtitle_ends = map(_clock.announced_end, container.streams.subtitles)
    ends += [float(end) - zero_seconds for end in subtitle_ends if end is not None]
    if scanned.sound_end is not None:
        ends.append(scanned.sound_end - zero_seconds)
    can_jump = not scanned.counted and not scanned.jumps
    can_jump &= not container.format.flags & GENERIC_INDEX
    keys = [stamp.pts for stamp in scanned.stamps if stamp.is_key and stamp.pts is not None]
    index = _index(stream, scanned, pts_seconds, last_seconds)
    if not is_cut:
        index = index.staying(max(ends))
    notes: tuple[str, ...] = ()
    if scanned.jumps:
        notes = (f"the clock of {path.name!r} {described(scanned.jumps, base, zero_seconds)}",)
    if not scanned.counted:
        sizes, keyframes = _packets(scanned, times)
        index = replace(index, packet_bytes=sizes, is_keyframe=keyframes, can_jump=bool(can_jump))
    return Timeline(
        index=replace(index, is_cut=is_cut, notes=notes),
        ticks=np.arange(len(times)) if scanned.counted else times,
        counted=scanned.counted,
        mended=scanned.mended if scanned.jumps else None,
        intact=scanned.intact,
        has_fields=scanned.has_fields,
        keys=np.flatnonzero(np.isin(times, keys) & can_jump),
        time_base=base,
        start_tick=stream.start_time or 0,
        orientation=Orientation.of(scanned.first),
        stream_index=stream.index,
        is_first_stream=stream is container.streams.video[0],
        zero_seconds=zero_seconds,
        jumps=tuple(scanned.jumps),
    )


def _packets(
    scanned: Scan, times: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Returns how many bytes each frame takes `(F,)`, and whether it is a keyframe `(F,)`."""
    sizes, keys = np.zeros(len(times), dtype=np.int64), np.zeros(len(times), dtype=bool)
    for stamp in scanned.stamps:
        if stamp.pts is not None and stamp.pts >= times[0]:
            place = np.searchsorted(times, stamp.pts)
            sizes[place] += stamp.size_bytes
            keys[place] |= stamp.is_key
    return sizes, keys


def _times(container: InputContainer, stream: VideoStream, scanned: Scan) -> npt.NDArray[np.int64]:
    if not scanned.counted:
        return _clock.stored_times(scanned.stamps, scanned.first.pts)
    has_some = any(stamp.pts is not None for stamp in scanned.stamps)
    if has_some and container.format.flags & DISCONTINUOUS:
        return _clock.filled_times(stream, scanned.stamps)
    return _clock.counted_times(stream, scanned.stamps)


def _is_cut(
    path: Path, container: InputContainer, stream: VideoStream, scanned: Scan, end_seconds: float
) -> bool:
    """Returns whether the file breaks off: by its bytes, else by the end that it announces."""
    breaks_off = _declared.breaks_off(path, container.format.name)
    if scanned.ends_corrupt or breaks_off is not None:
        return scanned.ends_corrupt or bool(breaks_off)
    if container.format.flags & DISCONTINUOUS:  # libav guesses their ends from their last packets
        return False
    announced = _clock.announced_end(stream)
    reached = max(end_seconds, scanned.sound_end or end_seconds)
    return announced is not None and float(announced) - reached > CUT_SECONDS


def _index(
    stream: VideoStream, scanned: Scan, pts_seconds: npt.NDArray[np.float64], last_seconds: float
) -> FrameIndex:
    orientation = Orientation.of(scanned.first)
    width_px = max(1, round(scanned.first.width * (stream.sample_aspect_ratio or 1)))
    width_px, height_px = orientation.size(width_px, scanned.first.height)
    duration_seconds = last_seconds - float(pts_seconds[0])
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
