"""Long work in the background, with its progress as events that can be resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import uuid4

import anyio
from anyio import from_thread
from anyio.abc import TaskGroup
from pydantic import BaseModel

from framesift import Progress
from framesift.errors import InvalidOptionError
from framesift.serving import throttled
from framesift_server.problems import problem_of
from framesift_server.schemas import AnyRequest, JobState, Problem, ProgressNow
from framesift_server.workers import Workers

EVENT_SECONDS: Final = 0.1
"""Steps of one stage that follow each other faster are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of a job, as it is sent."""

    number: int
    name: Literal["progress", "done", "failed", "cancelled"]
    data: BaseModel


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One piece of work; only the event loop changes it."""

    id: str
    kind: str
    status: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    progress: ProgressNow | None = None
    result: BaseModel | None = None
    problem: Problem | None = None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    _last: dict[str, Event] = field(default_factory=dict)
    """The last event of each stage; those before it tell nothing more."""
    _count: int = 0
    _changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        return self.status in ("done", "failed", "cancelled")

    def state(self) -> JobState:
        """Returns all of the job, its result included."""
        result = None if self.result is None else self.result.model_dump(mode="json")
        return JobState(
            id=self.id,
            kind=self.kind,
            status=self.status,
            progress=self.progress,
            result=result,
            problem=self.problem,
        )

    def step(self, progress: Progress) -> None:
        """Notes a step of the work; called in the worker's thread."""
        from_thread.run_sync(self._note, progress)

    def end(self, status: Literal["done", "failed", "cancelled"]) -> None:
        """Notes how the work ended."""
        self.status = status
        short = JobState(id=self.id, kind=self.kind, status=status, problem=self.problem)
        self._add("end", status, short)

    async def events(self, after: int) -> AsyncIterator[Event]:
        """Yields the events of a higher number than `after`, until the job ends."""
        while True:
            changed = self._changed
            for event in sorted(self._last.values(), key=lambda event: event.number):
                if event.number > after:
                    after = event.number
                    yield event
            if self.ended:
                return
            await changed.wait()

    def _note(self, progress: Progress) -> None:
        self.status = "running"
        self.progress = ProgressNow(
            stage=progress.stage, done=progress.done, total=progress.total, unit=progress.unit
        )
        self._add(progress.stage, "progress", self.progress)

    def _add(
        self, key: str, name: Literal["progress", "done", "failed", "cancelled"], data: BaseModel
    ) -> None:
        self._count += 1
        self._last[key] = Event(number=self._count, name=name, data=data)
        self._changed.set()
        self._changed = anyio.Event()


class Jobs:
    """The jobs that are under way, and the last ones that ended."""

    def __init__(self, group: TaskGroup, workers: Workers, *, keep: int, seconds: float) -> None:
        """Takes where jobs run, and what they may take.

        Args:
            group: outlives every job.
            workers: do the work.
            keep: most jobs that ended and are remembered.
            seconds: longest time of one job.
        """
        self._group, self._workers = group, workers
        self._keep, self._seconds = keep, seconds
        self._jobs: dict[str, Job] = {}
        self._by_key: dict[str, tuple[str, int]] = {}

    def get(self, name: str) -> Job | None:
        """Returns a job, None where it was never there or is forgotten."""
        return self._jobs.get(name)

    def of_key(self, key: str | None, body: AnyRequest) -> Job | None:
        """Returns the job that was posted with this idempotency key before, if it was.

        Raises:
            InvalidOptionError: the key came with another request, such as another part of a video.
        """
        if key is None or key not in self._by_key:
            return None
        name, before = self._by_key[key]
        if before != hash(body):
            raise InvalidOptionError(
                f"Idempotency-Key {key!r} was given with another request; send that one again, or "
                "take a new key"
            )
        return self._jobs[name]

    def start(
        self, worker: str, body: AnyRequest, work: Callable[[], BaseModel], key: str | None = None
    ) -> Job:
        """Returns a job that waits for its worker.

        Args:
            worker: whose work it is.
            body: the request.
            work: runs in a thread.
            key: a client's name for the job, by which the job is looked up again.

        Raises:
            ServerBusyError: the line before the worker is full.
        """
        with ExitStack() as place:
            place.enter_context(self._workers.place(worker))
            job = Job(id=uuid4().hex[:16], kind=body.kind)
            self._group.start_soon(self._run, job, worker, work, place.pop_all())
        self._jobs[job.id] = job
        if key is not None:
            # Not the request itself, which may hold a whole video.
            self._by_key[key] = job.id, hash(body)
        self._forget()
        return job

    async def _run(
        self, job: Job, worker: str, work: Callable[[], BaseModel], place: ExitStack
    ) -> None:
        with place, job.scope:
            try:
                with anyio.fail_after(self._seconds):
                    job.result = await self._workers.run(
                        worker, work, throttled(job.step, EVENT_SECONDS)
                    )
            except Exception as error:
                job.problem = problem_of(error)
        if job.scope.cancelled_caught:
            job.end("cancelled")
        else:
            job.end("failed" if job.problem else "done")

    def _forget(self) -> None:
        ended = [name for name, job in self._jobs.items() if job.ended]
        for name in ended[: max(0, len(ended) - self._keep)]:
            del self._jobs[name]
        self._by_key = {key: of for key, of in self._by_key.items() if of[0] in self._jobs}
