"""Long work in the background, done by whichever process of the server comes to it first."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar
from uuid import uuid4

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.abc import TaskGroup
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from framesift import Progress
from framesift.serving import throttled
from framesift_server.database import plain_failure
from framesift_server.job_rows import Event, Job
from framesift_server.job_store import JobStore
from framesift_server.metering import Meter
from framesift_server.problems import problem_of
from framesift_server.schemas import AnyRequest, JobStatus, Problem, ProgressNow
from framesift_server.workers import Workers

EVENT_SECONDS: Final = 0.1
"""Steps of one stage that follow each other faster are left out."""
LOOK_SECONDS: Final = 0.25
"""How often the database is looked at for what other processes have changed."""
STORE_THREADS: Final = 4
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Running:
    """A job that this process is at."""

    job: Job
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    lost: bool = False
    """Whether another process has taken it up, since this one seemed dead."""


@dataclass(slots=True, eq=False)
class _Watch:
    """Somebody who waits for the next event of a job."""

    name: str
    last: int
    changed: anyio.Event = field(default_factory=anyio.Event)


class Jobs:
    """The jobs of a server as one of its processes sees them, and those that it is at."""

    def __init__(
        self,
        store: JobStore,
        workers: Workers,
        do: Callable[[AnyRequest, Meter], BaseModel],
        *,
        lines: Collection[str],
        seconds: float,
        lease_seconds: float,
    ) -> None:
        """Takes what a process can do.

        Args:
            store: shared by all processes.
            workers: do the work of this one.
            do: does a request, in a thread, and meters it.
            lines: the models and other workers that this process has.
            seconds: longest time of one job.
            lease_seconds: how long a process may show no sign of life.
        """
        self._store, self._workers, self._do = store, workers, do
        self._lines, self._seconds = frozenset(lines), seconds
        self._renew_seconds = lease_seconds / 4
        self._owner = uuid4().hex
        self._running: dict[str, _Running] = {}
        self._watches: set[_Watch] = set()
        self._limiter = CapacityLimiter(STORE_THREADS)
        self._stopping = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Takes up jobs; gives those back that have not ended when the block does."""
        self._woken = anyio.Event()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._look_after, group)
                yield
                self.stop()
                await self.release()
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):  # one that was taken up in between
                await self.release()

    @property
    def idle(self) -> bool:
        """Whether this process is at none."""
        return not self._running

    def stop(self) -> None:
        """Takes up no more jobs, and tells those who watch one."""
        self._stopping = True
        for watch in self._watches:
            watch.changed.set()

    async def release(self) -> None:
        """Gives back what this process is at, for another to begin again."""
        try:
            await self._stored(self._store.release, self._owner)
        except SQLAlchemyError as error:
            logger.warning("jobs are begun again later: %s", plain_failure(error))

    async def post(self, line: str, body: AnyRequest, *, client: str, key: str | None) -> Job:
        """Returns a job that waits for its line; see `JobStore.post`."""
        job = await self._stored(partial(self._store.post, line, body, client=client, key=key))
        self._wake()
        return job

    async def cancel(self, job: Job) -> None:
        """Cancels a job; one that has ended stays as it is."""
        await self._stored(self._store.cancel, job.id)
        self._wake()

    async def events(self, job: Job, after: int) -> AsyncIterator[Event]:
        """Yields the events of a higher number than `after`, until the job or the process ends."""
        found: Job | None = job
        while found is not None:
            watch = _Watch(job.id, found.last)
            self._watches.add(watch)
            try:
                for event in found.events(after):
                    after = event.number
                    yield event
                if found.ended:
                    return
                if self._stopping:
                    yield Event(number=after, name="stopping", data={"last_event_id": after})
                    return
                await watch.changed.wait()
            finally:
                self._watches.discard(watch)
            with suppress(SQLAlchemyError):  # seen again once the database answers
                found = await self._stored(self._store.get, job.id)

    def _wake(self) -> None:
        self._woken.set()

    async def _stored(self, call: Callable[..., Result], *arguments: object) -> Result:
        return await to_thread.run_sync(partial(call, *arguments), limiter=self._limiter)

    async def _look_after(self, group: TaskGroup) -> None:
        """Takes up what waits, and sees what other processes have changed, again and again."""
        renewed, failed = time.monotonic(), False
        while True:
            self._woken = anyio.Event()
            try:
                await self._take_up(group)
                await self._see_changes()
                if time.monotonic() - renewed > self._renew_seconds:
                    renewed = time.monotonic()
                    await self._stored(self._store.renew, self._owner)
                failed = False
            except SQLAlchemyError as error:
                if not failed:
                    logger.error("the jobs cannot be looked at: %s", plain_failure(error))
                failed = True
            with anyio.move_on_after(LOOK_SECONDS):
                await self._woken.wait()

    async def _take_up(self, group: TaskGroup) -> None:
        """Claims a job for each line that has none of this process."""
        while not self._stopping:
            free = self._lines - {running.job.line for running in self._running.values()}
            if not free or not (job := await self._stored(self._store.claim, self._owner, free)):
                return
            running = self._running[job.id] = _Running(job)
            group.start_soon(self._run, running)

    async def _see_changes(self) -> None:
        names = {*self._running, *(watch.name for watch in self._watches)}
        if not names:
            return
        states = await self._stored(self._store.states, names)
        for name, running in self._running.items():
            state = states.get(name)
            held = (self._owner, running.job.attempts)
            if state is None or (state.owner, state.attempts) != held:
                running.lost = True
                running.scope.cancel()
            elif state.cancelled:
                running.scope.cancel()
        for watch in self._watches:
            state = states.get(watch.name)
            if state is None or state.last != watch.last:
                watch.changed.set()

    async def _run(self, running: _Running) -> None:
        job = running.job
        outcome: str | Problem | None = None
        meter = Meter()
        try:
            with running.scope:
                try:
                    joined = self._workers.joined(job.line, f"job {job.kind}", self._seconds)
                    with joined as place, anyio.fail_after(self._seconds):
                        outcome = await self._workers.run(
                            place,
                            partial(self._work, job, meter),
                            throttled(self._notes_of(job), EVENT_SECONDS),
                        )
                except Exception as error:
                    outcome = problem_of(error)
            if not running.lost:
                status: JobStatus = "failed" if isinstance(outcome, Problem) else "done"
                if running.scope.cancelled_caught:
                    status = "cancelled"
                await self._end(job, status, outcome, meter)
        finally:
            del self._running[job.id]
            self._wake()

    def _work(self, job: Job, meter: Meter) -> str:
        return self._do(self._store.request(job), meter).model_dump_json()

    def _notes_of(self, job: Job) -> Callable[[Progress], None]:
        """Returns what keeps the steps of a job; it is called in the worker's thread."""
        steps, last = dict(job.steps), job.last

        def note(progress: Progress) -> None:
            nonlocal last
            last += 1
            now = ProgressNow(
                stage=progress.stage, done=progress.done, total=progress.total, unit=progress.unit
            )
            steps[progress.stage] = Event(number=last, name="progress", data=now.model_dump())
            with suppress(SQLAlchemyError):  # the work is worth more than its news
                self._store.note(job, steps)

        return note

    async def _end(
        self, job: Job, status: JobStatus, outcome: str | Problem | None, meter: Meter
    ) -> None:
        """Notes how a job ended; one whose end cannot be noted is begun again by somebody."""
        try:
            try:
                used = meter.used(done=status == "done")
                await self._stored(self._store.end, job, status, outcome, used)
            except OSError as error:
                used = meter.used(done=False)
                await self._stored(self._store.end, job, "failed", problem_of(error), used)
        except SQLAlchemyError as error:
            logger.error("the end of job %s cannot be noted: %s", job.id, plain_failure(error))
