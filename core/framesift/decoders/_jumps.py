"""Where the clock of a stream jumps, and by how much each packet must be moved to go on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

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


class Mender:
    """Moves packets, in decode order, so that each follows the one before.

    The rule and its thresholds are those of ffmpeg, which compares each decoding time with the end
    of the packet before it. What is added to the times of a packet is the sum of all jumps before
    it, taken off.
    """

    def __init__(self, tick_seconds: Fraction, forward_seconds: int = FORWARD_SECONDS) -> None:
        """Takes the clock.

        Args:
            tick_seconds: length of one tick.
            forward_seconds: a clock that runs ahead by more has jumped.
        """
        self.jumps: list[Jump] = []
        self.offset = 0
        """Ticks to add to the times of the latest packet."""
        self._tick_seconds = float(tick_seconds)
        self._forward = int(forward_seconds / tick_seconds)
        self._backward = int(BACKWARD_SECONDS / tick_seconds)
        self._latest: int | None = None
        self._following = 0

    def move(
        self,
        pts: int | None,
        dts: int | None,
        duration: int,
        sound_seconds: float | None = None,
    ) -> int:
        """Returns what is to be added to the times of the next packet.

        Args:
            pts: its presentation time, if it has one.
            dts: its decoding time, None where it has none and so follows the one before.
            duration: how long it lasts, in ticks.
            sound_seconds: time up to which the sound ran on without a jump of its own; None where
                it jumped or there is none. A picture that stands while sound goes on is no jump.
        """
        mended = self._following if dts is None else dts + self.offset
        if dts is not None and self._latest is not None:
            by_ticks = mended - self._following
            if mended + self._backward < self._latest or (
                abs(by_ticks) > self._forward and not self._runs_on(dts, sound_seconds)
            ):
                self.offset -= by_ticks
                mended = self._following
                shown = (dts if pts is None else pts) + self.offset
                self.jumps.append(Jump(at_ticks=shown, by_ticks=by_ticks))
        self._latest, self._following = mended, mended + duration
        return self.offset

    def _runs_on(self, dts: int, sound_seconds: float | None) -> bool:
        if sound_seconds is None:
            return False
        return abs(sound_seconds - dts * self._tick_seconds) <= self._forward * self._tick_seconds
