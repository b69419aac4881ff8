"""What each server here holds: its line of work, its clients, and what it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

import anyio
from anyio import to_thread
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from framesift_server.common_settings import CommonSettings
from framesift_server.connection import Receives, while_connected
from framesift_server.database import reading
from framesift_server.metering import Meter
from framesift_server.metrics import exposition
from framesift_server.problems import ServerStoppingError, Shape, answer, problem_of
from framesift_server.protocol import Clients
from framesift_server.quotas import Quotas
from framesift_server.usage import Used, add_usage
from framesift_server.workers import Workers

Result = TypeVar("Result")


class Host:
    """Does work for clients that wait, bills it, and ends in order."""

    engine: Engine
    quotas: Quotas

    def __init__(self, settings: CommonSettings, shape: Shape = answer) -> None:
        self._grace_seconds = settings.grace_seconds
        self._max_seconds = settings.max_seconds
        self.registry = CollectorRegistry()
        """The metrics of this server alone."""
        self.stopping = False
        """Whether the process is about to end, and takes no more work."""
        self._answering: set[anyio.CancelScope] = set()
        self._until_stopping: set[anyio.CancelScope] = set()
        self.clients = Clients(settings.bounds, self.registry, shape)
        self._inside = Gauge(
            "framesift_working",
            "Requests in work and waiting.",
            ["model"],
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.workers = Workers(
            waiting=settings.queue,
            seconds=settings.max_seconds,
            changed=lambda model, inside: self._inside.labels(model).set(inside),
        )
        self._tokens = Counter(
            "framesift_visual_tokens",
            "Visual tokens before and after compression.",
            ["side"],
            registry=self.registry,
        )

    @property
    def grace_seconds(self) -> float:
        """How long work that is under way may take to end after SIGTERM."""
        return self._grace_seconds

    @property
    def idle(self) -> bool:
        """Whether nothing is in work."""
        return not (self._answering or self._until_stopping)

    def welcome(self, address: str) -> str | None:
        """Returns what the operator is told once the server listens at an address."""
        return None

    def stop(self) -> None:
        """Takes no more work; what is in work goes on, unless it is only of use until now."""
        self.stopping = True
        for scope in self._until_stopping:
            scope.cancel()

    def end(self) -> None:
        """Ends the requests that are in work at their next step; their clients may come again."""
        for scope in self._answering:
            scope.cancel()

    async def release(self) -> None:
        """Gives back what another server can go on with, before this one ends."""

    def answering(self) -> AbstractContextManager[None]:
        """Has the block be cancelled where the process ends.

        Raises:
            ServerStoppingError: it was.
        """
        return _cancelled_with(self._answering)

    def until_stopping(self) -> AbstractContextManager[None]:
        """Has the block be cancelled as soon as no more work is taken.

        Raises:
            ServerStoppingError: it was.
        """
        return _cancelled_with(self._until_stopping)

    async def worked(
        self,
        request: Receives,
        line: str,
        kind: str,
        do: Callable[[Meter], Result],
        *,
        client: str,
    ) -> Result:
        """Returns what `do` gives, unless the client leaves before.

        Args:
            request: whose body was read.
            line: which it waits in, for a model or another worker.
            kind: of the work.
            do: runs in a thread; notes what it uses.
            client: who is billed.

        Raises:
            ServerBusyError: the line is too long.
            ServerStoppingError: the process ends before the work does.
            ClientLeftError: there is nobody to answer.
        """
        meter, done = Meter(), False
        try:
            with self.workers.place(line, kind) as place, self.answering():
                run = partial(self.workers.run, place, partial(do, meter))
                result = await while_connected(request, self._max_seconds, run)
                done = True
        finally:
            if used := meter.used(done=done):
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(self.bill, client, used)
        return result

    def bill(self, client: str, used: Used) -> None:
        """Adds to what a client has used."""
        with self.engine.begin() as connection:
            add_usage(connection, client, used)

    def metrics(self) -> bytes:
        """Returns the metrics in the text format of Prometheus."""
        return exposition(self.registry, self.engine)

    def count(self, before: int, after: int) -> None:
        """Counts visual tokens of one piece of work."""
        self._tokens.labels("before").inc(before)
        self._tokens.labels("after").inc(after)

    def not_ready(self) -> str | None:
        """Returns why requests should go elsewhere for now, None where they should not."""
        if self.stopping:
            return str(ServerStoppingError())
        try:
            with reading(self.engine).connect() as connection:
                connection.execute(select(1))
        except SQLAlchemyError as error:
            return problem_of(error).detail
        return None


@contextmanager
def _cancelled_with(scopes: set[anyio.CancelScope]) -> Iterator[None]:
    with anyio.CancelScope() as scope:
        scopes.add(scope)
        try:
            yield
        finally:
            scopes.discard(scope)
    if scope.cancelled_caught:
        raise ServerStoppingError
