"""One pass over the packets of a file, with the sound beside the pictures."""

from __future__ import annotations

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
COUNTED: Final = frozenset({"avi", "gif"})
"""Formats that count frames or delays: nothing in them can jump."""
PACKETS_BEFORE_PART: Final = 2
"""Where parts of MPEG-TS are joined, packet counters start again, for which libav calls one of the
last packets before it corrupt; a loss within a part is not followed by a new part that soon."""

MISSING_PER_JUMP: Final = 2
"""Frames without a time that stand where two parts are joined, cut off by their ends."""
MISSING_SHARE: Final = 0.02
"""Share of frames that lost their time by damage; where more have none, units hold several."""


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
    heard = _container.heard_with(container, stream)
    sounds = {sound.index: _Sound(float(sound.time_base or 1)) for sound in heard}
    pictures = _Pictures.of(container, stream, list(sounds.values()))
    for packet in _container.packets(container, stream, *heard):
        sound = sounds.get(packet.stream_index)
        if sound is None:
            pictures.take(packet)
        else:
            sound.take(packet)
    jump_count = len(pictures.mender.jumps) if pictures.mender else 0
    return pictures.scan_result(_is_counted(container, pictures.stamps, jump_count))


@dataclass(slots=True)
class _Sound:
    """How far a stream of sound reaches, on its own clock."""

    tick_seconds: float
    latest: int | None = None
    """Decoding time of its last packet, in ticks; None before the first."""
    end: int | None = None
    """When its last packet ends, in ticks."""
    jumped: bool = False
    """Whether its clock jumped since the last picture."""

    @property
    def latest_seconds(self) -> float:
        return (self.latest or 0) * self.tick_seconds

    def take(self, packet: Packet[Stream]) -> None:
        dts, pts = packet.dts, packet.pts
        if dts is None or not packet.size:
            return
        if self.latest is not None and abs(dts - self.latest) * self.tick_seconds > FORWARD_SECONDS:
            self.jumped = True
        self.latest = dts
        self.end = (dts if pts is None else pts) + (packet.duration or 0)


@dataclass(slots=True, kw_only=True)
class _Pictures:
    """The packets of the pictures so far."""

    tick_seconds: float
    frame_ticks: int
    mender: Mender | None
    pairs: FieldPairs | None
    sounds: list[_Sound]
    stamps: list[Stamp] = field(default_factory=list)
    mended: list[int | None] = field(default_factory=list)
    suspects: list[tuple[int, Stamp]] = field(default_factory=list)
    """Corrupt packets by number, until it is clear whether a new part begins behind them."""
    intact: set[int] = field(default_factory=set)
    first: VideoFrame | None = None
    ends_corrupt: bool = False
    jump_count: int = 0

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream, sounds: list[_Sound]) -> _Pictures:
        codec = stream.codec_context
        return cls(
            sounds=sounds,
            tick_seconds=float(stream.time_base or 1),
            frame_ticks=round(_clock.frame_ticks(stream)),
            mender=_mender(container, stream),
            pairs=FieldPairs(codec.extradata or b"") if codec.name == "h264" else None,
        )

    def take(self, packet: Packet[Stream]) -> None:
        starts, offset = True, 0
        size = packet.size
        own = Stamp(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, size)
        if packet.size:
            self.ends_corrupt = packet.is_corrupt
            if self.mender is not None and not packet.is_discard:
                lasting = own if own.duration else own._replace(duration=self.frame_ticks)
                offset = self.mender.move(lasting, self._heard_seconds)
            if self.pairs is not None and not self.pairs.may_skip(own.is_key):
                starts = self.pairs.starts_frame(memoryview(packet))
        if offset:
            own = own._replace(
                pts=None if own.pts is None else own.pts + offset,
                dts=None if own.dts is None else own.dts + offset,
            )
        self.mended.append(own.pts if starts else None)
        if packet.size and starts and not packet.is_discard:
            self._keep(own, packet)
        elif not starts and self.stamps:  # the second field of the frame before
            self.stamps[-1] = self.stamps[-1]._replace(size_bytes=self.stamps[-1].size_bytes + size)
        if self.first is None:
            if offset:
                packet.pts = own.pts
            self.first = next(iter(_container.decode(packet)), None)
        for sound in self.sounds:
            sound.jumped = False

    def _heard_seconds(self) -> float | None:
        """Returns up to when sound ran on since the last picture; None where it jumped, too."""
        running = [s for s in self.sounds if s.latest is not None and not s.jumped]
        return max((s.latest_seconds for s in running), default=None)

    def _sound_end(self) -> float | None:
        """Returns the seconds at which the last sound ends, on the mended clock of the pictures."""
        offset_seconds = (self.mender.offset if self.mender else 0) * self.tick_seconds
        return max(
            (s.end * s.tick_seconds + offset_seconds for s in self.sounds if s.end is not None),
            default=None,
        )

    def _keep(self, stamp: Stamp, packet: Packet[Stream]) -> None:
        """Adds the stamp of a packet that is intact, or that turns out to be with this one."""
        number = len(self.mended)
        if packet.is_corrupt:
            self.suspects.append((number, stamp))
            return
        jump_count = len(self.mender.jumps) if self.mender else 0
        if packet.is_keyframe or jump_count > self.jump_count:
            for suspect, its_stamp in self.suspects:
                if number - suspect <= PACKETS_BEFORE_PART and its_stamp.pts is not None:
                    self.stamps.append(its_stamp)
                    self.intact.add(its_stamp.pts)
            self.suspects.clear()
        self.jump_count = jump_count
        self.stamps.append(stamp)

    def scan_result(self, counted: bool) -> Scan | None:
        if self.first is None or not self.stamps:
            return None
        has_fields = self.pairs is not None and self.pairs.second_fields > 0
        return Scan(
            stamps=self.stamps,
            mended=self.mended,
            first=self.first,
            jumps=self.mender.jumps if self.mender else [],
            intact=frozenset({*self.intact, None} if has_fields else self.intact),
            ends_corrupt=self.ends_corrupt,
            has_fields=has_fields,
            counted=counted,
            sound_end=self._sound_end(),
        )


def _mender(container: InputContainer, stream: Stream) -> Mender | None:
    """Returns what follows the clock of a stream, None where the format has no room for jumps."""
    if container.format.name in COUNTED or not stream.time_base:
        return None
    may_jump = bool(container.format.flags & DISCONTINUOUS)
    return Mender(stream.time_base, may_jump=may_jump)


def _is_counted(container: InputContainer, stamps: list[Stamp], jump_count: int) -> bool:
    """Returns whether frames are to be counted; what is joined may lack a time here and there."""
    missing = sum(stamp.pts is None for stamp in stamps)
    may_lack = bool(container.format.flags & DISCONTINUOUS)
    most = max(MISSING_PER_JUMP * jump_count, MISSING_SHARE * len(stamps)) if may_lack else 0
    return container.format.name == "avi" or missing > most
