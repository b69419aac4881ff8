"""One call of the public API: how long its stages took, and what went wrong without ending it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from framesift.types.text import printable
from framesift.types.video import Warn

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The clock and the notes of one call, handed down to whatever works for it."""

    listener: Warn | None = None
    """Told each warning once; without one, the log is."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each stage took so far."""
    warnings: list[str] = field(default_factory=list)
    """What went wrong so far, each line once."""

    def warn(self, line: str) -> None:
        """Keeps a warning and tells the listener, unless it is known already."""
        if line not in self.warnings:
            self.warnings.append(line)
            if self.listener is None:
                logger.warning("%s", printable(line))
            else:
                self.listener(line)

    def within(self) -> Run:
        """Returns a run for one of several videos: a clock of its own, notes that come here too."""
        return Run(listener=self.warn)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the seconds spent within to `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def joined(notes: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Returns the warnings about several videos as one list, each line once.

    Args:
        notes: name and warnings of each video; a name stands before its lines where there are
            several.
    """
    several = len({name for name, _ in notes}) > 1
    lines = (f"{name}: {line}" if several else line for name, found in notes for line in found)
    return list(dict.fromkeys(lines))
