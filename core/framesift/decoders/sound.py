"""The sound beside the pictures of a file, in mono, on the clock of the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from framesift.decoders import _container
from framesift.decoders._boundary import reading
from framesift.decoders._clock import Stamp
from framesift.decoders._jumps import Mender
from framesift.decoders._timeline import Timeline, read_timeline
from framesift.types.video import MAX_PIXELS, Warn

RATE: Final = 16_000
"""Samples per second that come out, whatever the file has."""
GAP_SECONDS: Final = 0.1
"""Sound whose time is off by more than this from where the sound before it ends begins anew."""
EARLY_SECONDS: Final = 3.0
"""How much before a part decoding begins, since codecs need what comes before."""

Samples = npt.NDArray[np.float32]
"""Mono `(S,)`, from -1 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A piece of sound without a gap in it."""

    start_seconds: float
    """On the clock of the pictures."""
    samples: Samples
    """`RATE` of them a second."""

    @property
    def end_seconds(self) -> float:
        """When it ends."""
        return self.start_seconds + len(self.samples) / RATE


def sound(
    path: Path,
    *,
    part_seconds: tuple[float, float] | None = None,
    max_pixels: int = MAX_PIXELS,
    warn: Warn,
) -> Iterator[Sound]:
    """Yields the sound of a video in time order, in pieces of a few hundredths of a second.

    Damage costs what is damaged: the pieces behind it have their own times. Of several streams it
    is the one that players choose.

    Args:
        path: the video file.
        part_seconds: start and end of what is wanted, the end may be infinite; None for all.
        max_pixels: most pixels of a picture.
        warn: called once where there is no sound, or where some of it could not be decoded.

    Raises:
        CorruptVideoError: the file cannot be read as a video at all.
    """
    path = Path(path)
    start_seconds, end_seconds = part_seconds or (0.0, float("inf"))
    note: str | None = None
    with reading(path):
        timeline = read_timeline(path, max_pixels)
        with _container.open_video(path, max_pixels) as (container, video):
            stream = cast("AudioStream | None", container.streams.best("audio", related=video))
            if stream is None:
                note = f"{path.name!r} has no sound, so nothing is heard in it"
            elif cast("object | None", stream.codec_context) is None:
                note = f"the sound of {path.name!r} is in a codec that is not known here, left out"
            else:
                _seek(container, stream, timeline, start_seconds)
                pieces = _Pieces(stream=stream, clock=_SoundClock.of(stream, timeline))
                for piece in pieces.of(container):
                    if piece.start_seconds >= end_seconds:
                        break
                    if piece.end_seconds > start_seconds:
                        yield _within(piece, start_seconds, end_seconds)
                note = pieces.damage(path.name)
    # Behind the block: what the listener raises is not an error of the file.
    if note is not None:
        warn(note)


def _within(piece: Sound, start_seconds: float, end_seconds: float) -> Sound:
    """Returns what of a piece lies in a part."""
    first = max(0, round((start_seconds - piece.start_seconds) * RATE))
    last = min(len(piece.samples), (end_seconds - piece.start_seconds) * RATE)
    return Sound(
        start_seconds=piece.start_seconds + first / RATE, samples=piece.samples[first : round(last)]
    )


def _seek(
    container: InputContainer, stream: AudioStream, timeline: Timeline, start_seconds: float
) -> None:
    """Jumps to a little before a time, where the file can be jumped in."""
    wanted = start_seconds - EARLY_SECONDS
    if wanted > EARLY_SECONDS and len(timeline.keys) and not timeline.jumps and stream.time_base:
        container.seek(int((wanted + timeline.zero_seconds) / stream.time_base), stream=stream)


@dataclass(slots=True, kw_only=True)
class _SoundClock:
    """When each packet of sound is heard, on the clock of the pictures."""

    tick_seconds: float
    zero_seconds: float
    shifts_seconds: list[float]
    """What is added to times behind each jump of the pictures' clock, all before it included."""
    mender: Mender | None
    """Finds the jumps, which sound and pictures share; None where there are none."""

    @classmethod
    def of(cls, stream: AudioStream, timeline: Timeline) -> _SoundClock:
        base = stream.time_base or 1
        ways = np.cumsum([0, *(-jump.by_ticks for jump in timeline.jumps)])
        return cls(
            tick_seconds=float(base),
            zero_seconds=timeline.zero_seconds,
            shifts_seconds=[float(way * timeline.time_base) for way in ways.tolist()],
            mender=Mender(stream.time_base, may_jump=True)
            if timeline.jumps and stream.time_base
            else None,
        )

    def move(self, packet: Packet[Stream]) -> float:
        """Returns the seconds to add to the times of the next packet's frames."""
        if self.mender is None or not packet.size:
            return -self.zero_seconds
        stamp = Stamp(packet.pts, packet.dts, packet.duration or 0, is_key=False)
        self.mender.move(stamp)
        passed = min(len(self.mender.jumps), len(self.shifts_seconds) - 1)
        return self.shifts_seconds[passed] - self.zero_seconds


@dataclass(slots=True, kw_only=True)
class _Pieces:
    """Decodes one stream, and counts what could not be decoded."""

    stream: AudioStream
    clock: _SoundClock
    packets: int = 0
    damaged: int = 0
    expected_seconds: float | None = None
    """When the next frame begins, if it follows at once; None before the first."""
    heard_seconds: float = 0.0
    """When the next sample that the resampler gives is heard."""
    resampler: AudioResampler = field(default_factory=lambda: _resampler())
    shape: tuple[Any, ...] = ()
    """Format, layout and rate of the frames that the resampler has seen."""

    def of(self, container: InputContainer) -> Iterator[Sound]:
        """Yields the pieces of an open file from where it stands."""
        shift = self.clock.move(Packet())
        for packet in _container.packets(container, self.stream):
            shift = self.clock.move(packet) if packet.size else shift
            for frame in self._decoded(packet):
                yield from self._piece(frame, shift)
        yield from self._flushed()

    def damage(self, name: str) -> str | None:
        """Returns what damage cost, in one line; None where it cost nothing."""
        if not self.damaged:
            return None
        if self.expected_seconds is None:
            return f"the sound of {name!r} is damaged: none of it can be decoded, so it is left out"
        return (
            f"the sound of {name!r} is damaged: {self.damaged} of {self.packets} pieces could not "
            "be decoded, and what is heard in them is missing"
        )

    def _decoded(self, packet: Packet[Stream]) -> list[AudioFrame]:
        self.packets += bool(packet.size)
        try:
            if packet.is_corrupt:
                raise ValueError("the container calls it corrupt")
            return cast("list[AudioFrame]", packet.decode())
        except (FFmpegError, ValueError):
            self.damaged += bool(packet.size)
            return []

    def _piece(self, frame: AudioFrame, shift_seconds: float) -> Iterator[Sound]:
        """Yields what one decoded frame completes; a resampler starts again behind a gap."""
        expected = self.expected_seconds
        start = expected or 0.0
        if frame.pts is not None:
            start = frame.pts * float(frame.time_base or self.clock.tick_seconds) + shift_seconds
        shape = frame.format.name, frame.layout.name, frame.sample_rate
        is_off = expected is not None and abs(start - expected) > GAP_SECONDS
        if is_off or (self.shape and shape != self.shape):
            yield from self._flushed()
        if expected is None or is_off:
            self.expected_seconds = self.heard_seconds = start
        self.shape = shape
        self.expected_seconds = (self.expected_seconds or 0.0) + frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would fill gaps by its own rules
        yield from self._resampled(frame)

    def _flushed(self) -> Iterator[Sound]:
        """Yields what the resampler still holds, and takes a new one."""
        if self.shape:
            yield from self._resampled(None)
        self.resampler, self.shape = _resampler(), ()

    def _resampled(self, frame: AudioFrame | None) -> Iterator[Sound]:
        try:
            made = self.resampler.resample(frame)
        except (FFmpegError, ValueError):
            self.damaged += 1
            return
        for each in made:
            # Sound that is stored as floating point may hold anything.
            samples = np.nan_to_num(each.to_ndarray().reshape(-1).astype(np.float32, copy=False))
            samples = samples.clip(-1, 1)
            if len(samples):
                yield Sound(start_seconds=self.heard_seconds, samples=samples)
                self.heard_seconds += len(samples) / RATE


def _resampler() -> AudioResampler:
    return AudioResampler(format="flt", layout="mono", rate=RATE)
