"""One worker for each model, with a bounded line before it."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter, from_thread, to_thread

from framesift import Progress, on_progress
from framesift_server.problems import ServerBusyError

Result = TypeVar("Result")


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
        limiter = self._limiters.setdefault(model, CapacityLimiter(1))

        def step(progress: Progress) -> None:
            from_thread.check_cancelled()
            if report is not None:
                report(progress)

        def watched() -> Result:
            start = time.perf_counter()
            try:
                with on_progress(step):
                    from_thread.check_cancelled()
                    return work()
            finally:
                took = time.perf_counter() - start
                self._seconds[model] += (took - self._seconds[model]) / 4

        return await to_thread.run_sync(watched, limiter=limiter)
