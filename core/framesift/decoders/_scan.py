"""One pass over the packets of a file, with the sound beside the pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, cast

from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framesift.decoders import _clock, _container
from framesift.decoders._clock import Stamp
from framesift.decoders._fields import FieldPairs
from framesift.decoders._jumps import FORWARD_SECONDS, Jump, Mender

DISCONTINUOUS: Final = int(cast(int, Flags.ts_discont.value))
"""Set on formats whose clock may jump, such as MPEG-TS, in which joined parts keep their own."""
AUTHORITATIVE: Final = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "avi", "gif"})
"""Formats whose header lays out all times, or that have none: nothing in them can jump."""
PACKETS_BEFORE_PART: Final = 2
"""Where parts of MPEG-TS are joined, packet counters start again, for which libav calls one of the
last packets before it corrupt; a loss within a part is not followed by a keyframe that soon."""


@dataclass(slots=True, kw_only=True)
class Scan:
    """What the packets of a stream say, and its first frame."""

    stamps: list[Stamp]
    """One for each frame, in decode order, on the mended clock."""
    mended: list[int | None]
    """The mended pts of each packet, None for what begins no frame."""
    first: VideoFrame
    jumps: list[Jump]
    intact: frozenset[int | None]
    """Pts of packets that are called corrupt, but only because another part begins after them; None
    where second fields, which have no pts of their own, are decoded in any case."""
    ends_corrupt: bool
    has_fields: bool
    counted: bool
    """Whether the container stores no presentation times."""
    sound_end: float | None
    """Seconds at which the sound ends, on the clock of the container; None without sound."""


def scan(container: InputContainer, stream: VideoStream) -> Scan | None:
    """Returns what the packets say, None where not one frame can be decoded."""
    pictures = _Pictures.of(container, stream)
    heard = _container.heard_with(container, stream)
    sounds = {sound.index: _Sound.of(container, sound) for sound in heard}
    for packet in _container.packets(container, stream, *heard):
        if packet.stream_index in sounds:
            sounds[packet.stream_index].take(packet)
        else:
            pictures.take(packet, sounds.values())
    ends = [sound.end for sound in sounds.values() if sound.end is not None]
    return pictures.found(_is_counted(container, pictures.stamps), max(ends, default=None))


@dataclass(slots=True, kw_only=True)
class _Sound:
    """How far a stream of sound reaches."""

    tick_seconds: float
    mender: Mender | None
    end: float | None = None
    """Seconds on the mended clock."""
    latest: float | None = None
    """Seconds of the last packet on its own clock; None after a jump, until the next picture."""

    @classmethod
    def of(cls, container: InputContainer, stream: Stream) -> _Sound:
        return cls(tick_seconds=float(stream.time_base or 1), mender=_mender(container, stream))

    def take(self, packet: Packet[Stream]) -> None:
        if packet.dts is None or not packet.size:
            return
        seconds, duration = packet.dts * self.tick_seconds, packet.duration or 0
        jumped = self.latest is not None and abs(seconds - self.latest) > FORWARD_SECONDS
        self.latest = None if jumped else seconds
        stamp = Stamp(packet.pts, packet.dts, duration, packet.is_keyframe)
        offset = self.mender.move(stamp) if self.mender else 0
        end = (packet.dts if packet.pts is None else packet.pts) + duration + offset
        self.end = max(end * self.tick_seconds, -math.inf if self.end is None else self.end)


@dataclass(slots=True, kw_only=True)
class _Pictures:
    """The packets of the pictures so far."""

    frame_ticks: int
    mender: Mender | None
    pairs: FieldPairs | None
    stamps: list[Stamp] = field(default_factory=list)
    mended: list[int | None] = field(default_factory=list)
    suspects: list[tuple[int, Stamp]] = field(default_factory=list)
    """Corrupt packets by number, until it is clear whether a new part begins behind them."""
    intact: set[int] = field(default_factory=set)
    first: VideoFrame | None = None
    ends_corrupt: bool = False

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream) -> _Pictures:
        codec = stream.codec_context
        return cls(
            frame_ticks=round(_clock.frame_ticks(stream)),
            mender=_mender(container, stream),
            pairs=FieldPairs(codec.extradata or b"") if codec.name == "h264" else None,
        )

    def take(self, packet: Packet[Stream], sounds: Iterable[_Sound]) -> None:
        starts, offset = True, 0
        if packet.size:
            self.ends_corrupt = packet.is_corrupt
            if self.mender is not None:
                heard = max((s.latest for s in sounds if s.latest is not None), default=None)
                duration = packet.duration or self.frame_ticks
                own = Stamp(packet.pts, packet.dts, duration, packet.is_keyframe)
                offset = self.mender.move(own, heard)
            if self.pairs is not None:
                starts = self.pairs.starts_frame(memoryview(packet), packet.is_keyframe)
        pts = packet.pts + offset if starts and packet.pts is not None else None
        dts = None if packet.dts is None else packet.dts + offset
        self.mended.append(pts)
        if packet.size and starts and not packet.is_discard:
            self._keep(Stamp(pts, dts, packet.duration or 0, packet.is_keyframe), packet)
        if self.first is None:
            if offset:
                packet.pts = pts
            self.first = next(iter(_container.decode(packet)), None)

    def _keep(self, stamp: Stamp, packet: Packet[Stream]) -> None:
        """Adds the stamp of a packet that is intact, or that turns out to be with this one."""
        number = len(self.mended)
        if packet.is_corrupt:
            self.suspects.append((number, stamp))
            return
        if packet.is_keyframe:
            for suspect, its_stamp in self.suspects:
                if number - suspect <= PACKETS_BEFORE_PART and its_stamp.pts is not None:
                    self.stamps.append(its_stamp)
                    self.intact.add(its_stamp.pts)
            self.suspects.clear()
        self.stamps.append(stamp)

    def found(self, counted: bool, sound_end: float | None) -> Scan | None:
        if self.first is None or not self.stamps:
            return None
        has_fields = self.pairs is not None and self.pairs.found > 0
        return Scan(
            stamps=self.stamps,
            mended=self.mended,
            first=self.first,
            jumps=self.mender.jumps if self.mender else [],
            intact=frozenset({*self.intact, None} if has_fields else self.intact),
            ends_corrupt=self.ends_corrupt,
            has_fields=has_fields,
            counted=counted,
            sound_end=sound_end,
        )


def _mender(container: InputContainer, stream: Stream) -> Mender | None:
    """Returns what follows the clock of a stream, None where the format has no room for jumps."""
    if container.format.name in AUTHORITATIVE or not stream.time_base:
        return None
    may_jump = bool(container.format.flags & DISCONTINUOUS)
    return Mender(stream.time_base, may_jump=may_jump)


def _is_counted(container: InputContainer, stamps: list[Stamp]) -> bool:
    """Returns whether frames are to be counted; what is joined may lack a time here and there."""
    missing = sum(stamp.pts is None for stamp in stamps)
    may_lack = bool(container.format.flags & DISCONTINUOUS)
    return container.format.name == "avi" or missing > (len(stamps) / 2 if may_lack else 0)
