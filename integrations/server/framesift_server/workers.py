"""One worker for each model, and a line before it that takes only what it can finish in time."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from anyio import (
    CapacityLimiter,
    current_effective_deadline,
    current_time,
    from_thread,
    to_thread,
)

from framesift import Progress, on_progress, time_limit
from framesift_server.estimates import Estimate, Place
from framesift_server.problems import ServerBusyError

Result = TypeVar("Result")
TICK_SECONDS: Final = 1e-3
"""Least time limit of work whose deadline came while it waited."""
UNKNOWN: Final = 0.25
"""Share of the time of a request that work is taken for of which nothing is known yet."""


class Workers:
    """Runs work in threads, one at a time for each model, and stops it where nobody waits."""

    def __init__(
        self,
        *,
        waiting: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[str, int], object] = lambda model, inside: None,
    ) -> None:
        """Takes how long the lines may be.

        Args:
            waiting: how many requests may wait for one model besides the one in work.
            seconds: time in which a request must be answered, from when it came.
            clock: by which work is timed.
            changed: is told how many are in the line of a model now.
        """
        self._changed = changed
        self._waiting, self._seconds, self._clock = waiting, seconds, clock
        self._limiters: dict[str, CapacityLimiter] = {}
        self._estimates: dict[tuple[str, str], Estimate] = {}
        self._lines: dict[str, list[Place]] = {}
        self.inside: Counter[str] = Counter()
        """Requests in work and waiting, by model."""

    @contextmanager
    def place(self, model: str, kind: str) -> Iterator[Place]:
        """Holds a place in the line before a model.

        Args:
            model: whose line it is.
            kind: of the work; how long each takes is learned apart.

        Raises:
            ServerBusyError: what is ahead leaves too little time; says when to come again.
        """
        # A free model takes anything: how long that takes is only known then.
        if line := self._lines.get(model):
            ahead_seconds = sum(place.remaining_seconds() for place in line)
            late_seconds = ahead_seconds + self._estimate(model, kind).seconds - self._seconds
            if len(line) > self._waiting:
                late_seconds = max(late_seconds, line[0].remaining_seconds(), TICK_SECONDS)
            if late_seconds > 0:
                raise ServerBusyError(model, max(1, math.ceil(late_seconds)))
        with self.joined(model, kind, self._seconds) as place:
            yield place

    @contextmanager
    def joined(self, model: str, kind: str, seconds: float) -> Iterator[Place]:
        """Holds a place in the line however long it is, for jobs, which wait in the database.

        Args:
            model: whose line it is.
            kind: of the work.
            seconds: time in which the work must end.
        """
        ends_at = self._clock() + seconds
        place = Place(model, self._estimate(model, kind), self._clock, ends_at)
        self._lines.setdefault(model, []).append(place)
        self._count(model, 1)
        try:
            yield place
        finally:
            self._lines[model].remove(place)
            self._count(model, -1)

    async def run(
        self,
        place: Place,
        work: Callable[[], Result],
        report: Callable[[Progress], object] | None = None,
    ) -> Result:
        """Returns what `work` gives, once the model is free.

        Cancelling the caller ends the work at its next step, and only then returns, so that the
        next in line has the model for itself.

        Args:
            place: which the caller holds in the line before a model.
            work: runs in a thread.
            report: told each step of the work, in the thread.

        Raises:
            ServerBusyError: its turn came too late for it to be done in time.
        """
        # The event loop keeps the caller's deadline on its own clock; plans hold it too.
        end = time.monotonic() + current_effective_deadline() - current_time()
        limiter = self._limiters.setdefault(place.model, CapacityLimiter(1))

        def step(progress: Progress) -> None:
            from_thread.check_cancelled()
            if report is not None:
                report(progress)

        def watched() -> Result:
            start = time.monotonic()
            with on_progress(step), time_limit(max(end - start, TICK_SECONDS)):
                from_thread.check_cancelled()
                return self._timed(place, work)

        return await to_thread.run_sync(watched, limiter=limiter)

    def _count(self, model: str, more: int) -> None:
        self.inside[model] += more
        self._changed(model, self.inside[model])

    def _estimate(self, model: str, kind: str) -> Estimate:
        guess = Estimate(self._seconds * UNKNOWN)
        return self._estimates.setdefault((model, kind), guess)

    def _timed(self, place: Place, work: Callable[[], Result]) -> Result:
        """Returns what `work` gives; learns how long it takes."""
        place.began = began = self._clock()
        estimate, left_seconds = place.estimate, place.ends_at - began
        others = len(self._lines[place.model]) > 1
        if others and estimate.count > 1 and estimate.mean_seconds > left_seconds:
            # It would hold up those behind it, and be cut off all the same.
            raise ServerBusyError(place.model, math.ceil(estimate.mean_seconds))
        try:
            result = work()
        except BaseException as error:
            if isinstance(error, TimeoutError) or not isinstance(error, Exception):  # cut off
                estimate.note_at_least(self._clock() - began)
            raise
        estimate.note(self._clock() - began)
        return result
