"""One worker for each model, with a bounded line before it."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from anyio import CapacityLimiter, current_effective_deadline, current_time, from_thread, to_thread

from framesift import Progress, on_progress, time_limit
from framesift_server.problems import ServerBusyError

Result = TypeVar("Result")
TICK_SECONDS: Final = 1e-3
"""Least time limit of work whose deadline came while it waited."""


class Workers:
    """Runs work in threads, one at a time for each model, and stops it where nobody waits."""

    def __init__(self, *, waiting: int) -> None:
        """Takes how many requests may wait for one model besides the one in work."""
        self._waiting = waiting
        self._limiters: dict[str, CapacityLimiter] = {}
        self._seconds: defaultdict[str, float] = defaultdict(lambda: 1.0)
        self.inside: Counter[str] = Counter()
        """Requests in work and waiting, by model."""

    @contextmanager
    def place(self, model: str) -> Iterator[None]:
        """Holds a place in the line before a model.

        Raises:
            ServerBusyError: there is none; says when to come again.
        """
        if self.inside[model] > self._waiting:
            seconds = self._seconds[model] * self.inside[model] / 2
            raise ServerBusyError(model, max(1, math.ceil(seconds)))
        self.inside[model] += 1
        try:
            yield
        finally:
            self.inside[model] -= 1

    async def run(
        self,
        model: str,
        work: Callable[[], Result],
        report: Callable[[Progress], object] | None = None,
    ) -> Result:
        """Returns what `work` gives, once the model is free.

        Cancelling the caller ends the work at its next step, and only then returns, so that the
        next in line has the model for itself.

        Args:
            model: whose worker it is for; the caller holds a place in its line.
            work: runs in a thread.
            report: told each step of the work, in the thread.
        """
        # The event loop keeps the caller's deadline on its own clock; plans hold it too.
        end = time.monotonic() + current_effective_deadline() - current_time()
        limiter = self._limiters.setdefault(model, CapacityLimiter(1))

        def step(progress: Progress) -> None:
            from_thread.check_cancelled()
            if report is not None:
                report(progress)

        def watched() -> Result:
            start = time.monotonic()
            try:
                with on_progress(step), time_limit(max(end - start, TICK_SECONDS)):
                    from_thread.check_cancelled()
                    return work()
            finally:
                took = time.monotonic() - start
                self._seconds[model] += (took - self._seconds[model]) / 4

        return await to_thread.run_sync(watched, limiter=limiter)
