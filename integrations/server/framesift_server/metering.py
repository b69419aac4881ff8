"""What one piece of work uses, noted while it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from framesift_server.usage import Used


@dataclass(slots=True, eq=False)
class Meter:
    """Is filled by the thread that works, and read once it has ended."""

    clock: Callable[[], float] = time.monotonic
    _amounts: Used = field(default_factory=Used)
    _seconds: float | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Times the work, however it ends."""
        start = self.clock()
        try:
            yield
        finally:
            self._seconds = self.clock() - start

    def note(self, **amounts: int) -> None:
        """Notes what the work has used."""
        self._amounts = replace(self._amounts, **amounts)

    def used(self, *, done: bool) -> Used | None:
        """Returns what counts: all of work that was done, the time of work that was not.

        Work that never came to its turn counts nothing, which is None.
        """
        if self._seconds is None:
            return None
        milliseconds = round(self._seconds * 1000)
        if done:
            return replace(self._amounts, requests=1, work_milliseconds=milliseconds)
        return Used(failed=1, work_milliseconds=milliseconds)
