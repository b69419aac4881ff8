"""How long work takes, learned from what was done, so that a line knows what it can finish."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

GAIN: Final = 0.25
"""Share of a new measurement in the mean."""


@dataclass(slots=True)
class Estimate:
    """Seconds that one kind of work takes, as a moving mean and how far from it they are."""

    guess_seconds: float
    """Is taken until there is a measurement."""
    count: int = 0
    mean_seconds: float = 0.0
    deviation_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Time within which most such work ends."""
        if not self.count:
            return self.guess_seconds
        return self.mean_seconds + self.deviation_seconds

    def note(self, seconds: float) -> None:
        """Learns from work that was done."""
        self.count += 1
        if self.count <= 2:  # the first one loads the model as well, and counts until the second
            self.mean_seconds, self.deviation_seconds = seconds, seconds / 4
            return
        off = seconds - self.mean_seconds
        self.mean_seconds += GAIN * off
        self.deviation_seconds += GAIN * (abs(off) - self.deviation_seconds)

    def note_at_least(self, seconds: float) -> None:
        """Learns from work that was cut off: it would have taken longer."""
        if seconds > self.seconds:
            self.note(seconds)


@dataclass(slots=True, eq=False)
class Place:
    """One piece of work in the line before a model."""

    model: str
    estimate: Estimate
    clock: Callable[[], float] = time.monotonic
    ends_at: float = float("inf")
    """When it is cut off."""
    began: float | None = field(default=None)
    """When it came to be worked on."""

    def remaining_seconds(self) -> float:
        """How much longer it holds the model, once it has it."""
        now = self.clock()
        if self.began is None:
            return self.estimate.seconds
        took = now - self.began
        # What has taken longer than others may take as long again.
        more = self.estimate.seconds - took if took < self.estimate.seconds else took
        return max(0.0, min(more, self.ends_at - now))
