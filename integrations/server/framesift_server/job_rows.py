"""A job as a row of the database, and as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Integer,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from framesift_server.database import METADATA
from framesift_server.schemas import JobState, JobStatus, Problem, ProgressNow

ENDED: Final = ("done", "failed", "cancelled", "lost")
ATTEMPTS: Final = 3
"""How often a job is begun before it is lost, as one that ends whatever process takes it up."""
LOST: Final = Problem(
    title="Internal Server Error",
    status=500,
    detail=f"{ATTEMPTS} processes of this server ended while they were at it, killed or out of "
    "memory; give a shorter video or fewer frames, and ask the operator what the log says",
).model_dump_json(exclude_none=True)

JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("client", String(200), nullable=False),
    Column("key", String(200)),
    Column("line", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("upload", String(80)),
    Column("status", String(16), nullable=False, index=True),
    Column("steps", Text, nullable=False),
    Column("last", Integer, nullable=False),
    Column("problem", Text),
    Column("result", String(80)),
    Column("attempts", Integer, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("owner", String(32)),
    Column("lease_until", Float, nullable=False),
    Column("created", Float, nullable=False),
    Column("ended", Float),
    UniqueConstraint("client", "key"),
    sqlite_autoincrement=True,
)


class Event(BaseModel, frozen=True):
    """One step of a job, as it is sent."""

    number: int
    name: Literal["progress", "done", "failed", "cancelled", "lost", "stopping"]
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work, as its row was when it was read; all but the request."""

    number: int
    """Grows from job to job."""
    id: str
    client: str
    """Whose it is."""
    line: str
    """The model or other worker that it waits for."""
    kind: str
    status: JobStatus
    steps: dict[str, Event]
    """The last event of each stage; those before it tell nothing more."""
    last: int
    """Number of the last event."""
    problem: Problem | None
    result: str | None
    """Name of the file that holds the result."""
    attempts: int
    """How often it was begun."""
    cancelled: bool
    """Whether it is to be cancelled."""
    owner: str | None
    """The process that is at it."""
    created: float

    @classmethod
    def of(cls, row: Row[Any]) -> Job:
        """Returns what a row of `COLUMNS` holds."""
        found = dict(row._mapping)
        found["steps"] = {
            stage: Event.model_validate(step) for stage, step in json.loads(row.steps).items()
        }
        if row.problem:
            found["problem"] = Problem.model_validate_json(row.problem)
        return cls(**found)

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        return self.status in ENDED

    def state(self) -> JobState:
        """Returns all of the job but its result, which lies in a file."""
        newest = max(self.steps.values(), key=lambda step: step.number, default=None)
        return JobState(
            id=self.id,
            kind=self.kind,
            status=self.status,
            created=datetime.fromtimestamp(self.created, UTC),
            attempts=self.attempts,
            progress=None if newest is None else ProgressNow.model_validate(newest.data),
            problem=self.problem,
        )

    def events(self, after: int) -> Iterator[Event]:
        """Yields the events of a higher number than `after` that there are by now."""
        for step in sorted(self.steps.values(), key=lambda step: step.number):
            if step.number > after:
                yield step
        if self.ended and self.last > after:
            state = self.state().model_dump(mode="json", exclude={"progress"})
            yield Event.model_validate({"number": self.last, "name": self.status, "data": state})


COLUMNS: Final = [JOBS.c[name] for name in Job.__slots__]
