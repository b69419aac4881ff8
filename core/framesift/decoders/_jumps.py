"""Where the clock of a stream jumps, and by how much each packet must be moved to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from framesift.decoders._clock import Stamp

FORWARD_SECONDS: Final = 10
"""A clock that runs ahead by more than this has jumped, where the format says that clocks may."""
ERROR_SECONDS: Final = 30 * 3600
"""A clock that runs ahead by more than this is wrong in every format."""
BACKWARD_SECONDS: Final = Fraction(1, 10)
"""A clock that falls back by more than this has jumped, as decoding times always ascend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """One place where the clock does not go on."""

    at_ticks: int
    """When the first frame behind it is shown, on the mended clock."""
    by_ticks: int
    """How much later than expected its own clock puts it; below 0 where it falls back."""


def described(jumps: Sequence[Jump], time_base: Fraction, zero_seconds: float) -> str:
    """Returns how often the clock jumps, and where first and by how much."""
    first, tick_seconds = jumps[0], float(time_base)
    times = "once" if len(jumps) == 1 else f"{len(jumps)} times, first"
    return (
        f"jumps {times} at {first.at_ticks * tick_seconds - zero_seconds:.2f} s by "
        f"{first.by_ticks * tick_seconds:+.2f} s, as in joined recordings; what comes after it "
        "follows at once"
    )


class Mender:
    """Moves packets, in decode order, so that each part of a stream follows the one before.

    Where the format stores decoding times, the rule and its thresholds are those of ffmpeg, which
    compares each with the end of the packet before it. In any format, a keyframe that would be
    shown before a frame ahead of it begins a new part, which is shown when the one before has
    ended. What is added to the times of a packet is the sum of all jumps before it, taken off.
    """

    def __init__(self, tick_seconds: Fraction, *, may_jump: bool) -> None:
        """Takes the clock.

        Args:
            tick_seconds: length of one tick.
            may_jump: whether the format stores decoding times, which may jump.
        """
        self.jumps: list[Jump] = []
        self.offset = 0
        """Ticks to add to the times of the latest packet."""
        self._may_jump = may_jump
        self._tick_seconds = float(tick_seconds)
        self._forward = int((FORWARD_SECONDS if may_jump else ERROR_SECONDS) / tick_seconds)
        self._backward = int(BACKWARD_SECONDS / tick_seconds)
        self._decoded: int | None = None
        self._decoded_until = 0
        self._shown: int | None = None
        self._shown_until = 0

    def move(self, packet: Stamp, heard_seconds: Callable[[], float | None] = lambda: None) -> int:
        """Returns the ticks to add to the times of the next packet.

        Args:
            packet: its own times; a decoding time that is missing follows the one before.
            heard_seconds: returns up to when the sound ran on without a jump of its own, None where
                it jumped or without sound. A picture that stands while sound goes on is not a jump.
        """
        dts, pts, duration = packet.dts, packet.pts, packet.duration
        if self._jumps(packet, heard_seconds):
            before = self.offset
            if self._may_jump and dts is not None:
                self.offset = self._decoded_until - dts
            if pts is not None and (not self._may_jump or pts + self.offset < self._shown_until):
                self.offset = self._shown_until - pts
            shown = self._decoded_until if pts is None else pts + self.offset
            self.jumps.append(Jump(at_ticks=shown, by_ticks=before - self.offset))
        self._decoded = self._decoded_until if dts is None else dts + self.offset
        self._decoded_until = self._decoded + duration
        if pts is not None and (self._shown is None or pts + self.offset > self._shown):
            self._shown = pts + self.offset
            self._shown_until = self._shown + duration
        return self.offset

    def _jumps(self, packet: Stamp, heard_seconds: Callable[[], float | None]) -> bool:
        if packet.is_key and packet.pts is not None and self._shown is not None:
            shown_early = self._shown - packet.pts - self.offset
            if 2 * shown_early > packet.duration:
                return True
        if packet.dts is None or self._decoded is None:
            return False
        mended = packet.dts + self.offset
        if self._may_jump and mended + self._backward < self._decoded:
            return True
        ahead = abs(mended - self._decoded_until)
        return ahead > self._forward and not self._runs_on(packet.dts, heard_seconds())

    def _runs_on(self, dts: int, sound_seconds: float | None) -> bool:
        if sound_seconds is None:
            return False
        return abs(sound_seconds - dts * self._tick_seconds) <= self._forward * self._tick_seconds
