"""Jobs in the database and results in files, which every process of a server reads and changes."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from framesift.errors import InvalidOptionError
from framesift.serving import write_atomically
from framesift_server.database import reading
from framesift_server.job_rows import ATTEMPTS, COLUMNS, ENDED, JOBS, LOST, Event, Job
from framesift_server.problems import ServerBusyError
from framesift_server.schemas import AnyRequest, JobStatus, Problem
from framesift_server.usage import Used, add_usage

RETRY_SECONDS: Final = 10
"""When to come again while too many jobs wait."""
REQUEST: Final[TypeAdapter[AnyRequest]] = TypeAdapter(AnyRequest)


class JobStore:
    """The jobs of a server: those that wait or are under way, and the last ones that ended.

    A process that works holds a lease, which it must renew; a job whose lease ran out is begun
    again by whoever comes first. What the process before it still writes is left out.
    """

    def __init__(
        self, engine: Engine, folder: Path, *, keep: int, waiting: int, lease_seconds: float
    ) -> None:
        """Removes results that belong to no job.

        Args:
            engine: of the database.
            folder: where results lie.
            keep: most jobs that ended and are remembered.
            waiting: most jobs that wait for one line besides the one in work.
            lease_seconds: how long a process may show no sign of life.
        """
        self._engine, self._reading, self._folder = engine, reading(engine), folder
        self._keep, self._waiting, self._lease_seconds = keep, waiting, lease_seconds
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Listed before the rows that they belong to. What others are still writing ends otherwise.
        there = [path.name for path in folder.glob("[!.]*.json")]
        with self._reading.connect() as connection:
            known = set(connection.scalars(select(JOBS.c.id)))
        self._remove(name for name in there if name.partition("-")[0] not in known)

    def of_key(self, key: str, body: AnyRequest, *, client: str) -> Job | None:
        """Returns the job that a client posted with this idempotency key before, if it did.

        Raises:
            InvalidOptionError: the key came with another request, such as another part of a video.
        """
        wanted = and_(JOBS.c.client == client, JOBS.c.key == key)
        with self._reading.connect() as connection:
            row = connection.execute(select(*COLUMNS).where(wanted)).one_or_none()
            before = connection.scalar(select(JOBS.c.body).where(wanted))
        if row is not None and before != _text(body):
            raise InvalidOptionError(
                f"Idempotency-Key {key!r} was given with another request; send that one again, or "
                "take a new key"
            )
        return None if row is None else Job.of(row)

    def post(self, line: str, body: AnyRequest, *, client: str, key: str | None) -> Job:
        """Returns a job that waits for its line, or the one that was posted with the same key.

        Raises:
            ServerBusyError: too many jobs wait for the line.
            InvalidOptionError: the key came with another request.
        """
        values = {
            "id": uuid4().hex[:16],
            "client": client,
            "key": key,
            "line": line,
            "kind": body.kind,
            "body": _text(body),
            "upload": body.video.partition("#")[0] if body.video[:7] == "upload:" else None,
            "status": "waiting",
            "steps": "{}",
            "last": 0,
            "attempts": 0,
            "cancelled": False,
            "lease_until": 0.0,
            "created": time.time(),
        }
        same = and_(JOBS.c.line == line, JOBS.c.status.not_in(ENDED))
        try:
            with self._engine.begin() as connection:
                before = connection.scalar(select(func.count()).where(same))
                if before is not None and before > self._waiting:
                    raise ServerBusyError(line, RETRY_SECONDS)
                row = connection.execute(insert(JOBS).values(values).returning(*COLUMNS)).one()
                forgotten = self._forget(connection)
        except IntegrityError:
            if key is None or (posted := self.of_key(key, body, client=client)) is None:
                raise
            return posted
        self._remove(forgotten)
        return Job.of(row)

    def get(self, name: str) -> Job | None:
        """Returns a job, None where it was never there or is forgotten."""
        if not name.isalnum():  # PostgreSQL takes no text with a zero byte
            return None
        with self._reading.connect() as connection:
            row = connection.execute(select(*COLUMNS).where(JOBS.c.id == name)).one_or_none()
        return None if row is None else Job.of(row)

    def page(
        self, *, client: str, status: JobStatus | None, before: int | None, most: int
    ) -> list[Job]:
        """Returns a client's jobs, the newest first, from the one before a number on."""
        wanted = select(*COLUMNS).where(JOBS.c.client == client)
        if status is not None:
            wanted = wanted.where(JOBS.c.status == status)
        if before is not None:
            wanted = wanted.where(JOBS.c.number < before)
        with self._reading.connect() as connection:
            rows = connection.execute(wanted.order_by(JOBS.c.number.desc()).limit(most))
            return [Job.of(row) for row in rows]

    def request(self, job: Job) -> AnyRequest:
        """Returns what is to be done."""
        with self._reading.connect() as connection:
            wanted = select(JOBS.c.body).where(JOBS.c.id == job.id)
            return REQUEST.validate_json(connection.scalars(wanted).one())

    def uploads(self) -> set[str]:
        """Returns the uploads that jobs need which have not ended."""
        wanted = select(JOBS.c.upload).where(JOBS.c.status.not_in(ENDED))
        with self._reading.connect() as connection:
            return {name for name in connection.scalars(wanted) if name is not None}

    def states(self, names: Collection[str]) -> dict[str, Job]:
        """Returns those of these jobs that there are."""
        with self._reading.connect() as connection:
            rows = connection.execute(select(*COLUMNS).where(JOBS.c.id.in_(names)))
            return {row.id: Job.of(row) for row in rows}

    def result(self, job: Job) -> bytes | None:
        """Returns what the work gave, as JSON; None where there is nothing yet, or no longer."""
        if job.result is None:
            return None
        try:
            return (self._folder / job.result).read_bytes()
        except FileNotFoundError:
            return None

    def cancel(self, name: str) -> None:
        """Cancels a job that waits, and asks for it of one that is under way."""
        waits = JOBS.c.status == "waiting"
        with self._engine.begin() as connection:
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id == name, JOBS.c.status.not_in(ENDED))
                .values(
                    cancelled=True,
                    status=case((waits, "cancelled"), else_=JOBS.c.status),
                    ended=case((waits, time.time()), else_=None),
                    last=JOBS.c.last + case((waits, 1), else_=0),
                )
            )

    def claim(self, owner: str, lines: Collection[str]) -> Job | None:
        """Returns the oldest job that waits for one of these lines, now this owner's for a while.

        Jobs whose owner let its lease run out wait again before, or are lost.
        """
        now = time.time()
        lapsed = and_(JOBS.c.status == "running", JOBS.c.lease_until < now)
        waits = and_(JOBS.c.status == "waiting", JOBS.c.line.in_(lines))
        first = select(JOBS.c.number).where(waits).order_by(JOBS.c.number).limit(1)
        with self._reading.connect() as connection:
            if not connection.scalar(select(exists().where(or_(lapsed, waits)))):
                return None
        with self._engine.begin() as connection:
            connection.execute(update(JOBS).where(lapsed).values(_given_back(now, lost=LOST)))
            row = connection.execute(
                update(JOBS)
                .where(JOBS.c.number == first.with_for_update(skip_locked=True).scalar_subquery())
                .values(
                    status="running",
                    owner=owner,
                    attempts=JOBS.c.attempts + 1,
                    lease_until=now + self._lease_seconds,
                )
                .returning(*COLUMNS)
            ).one_or_none()
        return None if row is None else Job.of(row)

    def renew(self, owner: str) -> None:
        """Holds all that an owner is at for another while."""
        until = time.time() + self._lease_seconds
        self._change(_is_at(owner), lease_until=until)

    def note(self, job: Job, steps: dict[str, Event]) -> None:
        """Keeps how far a job has come; does nothing where somebody else has taken it up."""
        last = max(step.number for step in steps.values())
        kept = json.dumps({stage: step.model_dump() for stage, step in steps.items()})
        self._change(_holds(job), steps=kept, last=last)

    def end(
        self,
        job: Job,
        status: JobStatus,
        outcome: str | Problem | None = None,
        used: Used | None = None,
    ) -> None:
        """Notes how a job ended; does nothing where somebody else has taken it up.

        Args:
            job: as it was claimed.
            status: how it ended.
            outcome: the result as JSON, or what went wrong.
            used: what its client is to be billed, in the same transaction: once, whoever ends it.
        """
        values: dict[str, Any] = {"status": status, "ended": time.time(), "owner": None}
        if isinstance(outcome, Problem):
            values["problem"] = outcome.model_dump_json(exclude_none=True)
        elif outcome is not None:
            # Each attempt has a file of its own, so that a late one overwrites none.
            values["result"] = f"{job.id}-{job.attempts}.json"
            write_atomically(self._folder / values["result"], outcome.encode())
        values["last"] = JOBS.c.last + 1
        with self._engine.begin() as connection:
            ended = connection.execute(update(JOBS).where(_holds(job)).values(values)).rowcount
            if ended and used is not None:
                add_usage(connection, job.client, used)
        if not ended and "result" in values:
            self._remove([values["result"]])

    def release(self, owner: str) -> None:
        """Gives back all that an owner is at, for another to begin again; no attempt is counted."""
        values = {**_given_back(time.time()), "attempts": JOBS.c.attempts - 1}
        self._change(_is_at(owner), **values)

    def _change(self, wanted: Any, **values: Any) -> int:
        with self._engine.begin() as connection:
            return connection.execute(update(JOBS).where(wanted).values(values)).rowcount

    def _forget(self, connection: Connection) -> list[str]:
        """Removes the jobs that ended first; returns the files of their results."""
        ended = select(JOBS.c.number).where(JOBS.c.status.in_(ENDED))
        old = connection.scalars(ended.order_by(JOBS.c.ended.desc()).offset(self._keep)).all()
        gone = connection.scalars(
            delete(JOBS).where(JOBS.c.number.in_(old)).returning(JOBS.c.result)
        )
        return [name for name in gone if name]

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


def _is_at(owner: str) -> Any:
    return and_(JOBS.c.owner == owner, JOBS.c.status == "running")


def _holds(job: Job) -> Any:
    """Returns the condition that a job is still that of the process that claimed it."""
    assert job.owner is not None, "only a job that was claimed is worked at"
    return and_(_is_at(job.owner), JOBS.c.id == job.id, JOBS.c.attempts == job.attempts)


def _given_back(now: float, lost: str | None = None) -> dict[str, Any]:
    """Returns how a job changes that nobody is at any more.

    Args:
        now: the time.
        lost: the problem of one that was begun too often, None to begin each again.
    """
    ends: ColumnElement[bool] = JOBS.c.cancelled.is_(True)
    if lost is not None:
        ends = or_(ends, JOBS.c.attempts >= ATTEMPTS)
    status = case((JOBS.c.cancelled, "cancelled"), (ends, "lost"), else_="waiting")
    return {
        "status": status,
        "problem": case((JOBS.c.cancelled, None), (ends, lost), else_=None),
        "ended": case((ends, now), else_=None),
        "last": JOBS.c.last + case((ends, 1), else_=0),
        "owner": None,
    }


def _text(body: AnyRequest) -> str:
    """Returns a request as the same text in every process: its sets are sorted."""
    return json.dumps(body.model_dump(), default=sorted, sort_keys=True)
