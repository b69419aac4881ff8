"""Work that lasts no longer than the client waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio
from starlette.types import Receive

Result = TypeVar("Result")


class Receives(Protocol):
    """A request whose body was read."""

    @property
    def receive(self) -> Receive:
        """Gives what comes of the client next: that it has left."""


class ClientLeftError(Exception):
    """The client has closed the connection."""


async def while_connected(
    request: Receives, seconds: float, work: Callable[[], Awaitable[Result]]
) -> Result:
    """Returns what `work` gives; cancels it where the client leaves.

    Args:
        request: whose body was read.
        seconds: longest time of the work.
        work: is called once.

    Raises:
        ClientLeftError: there is nobody to answer.
        TimeoutError: the work took longer than `seconds`.
    """
    results: list[Result] = []
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_left, request, group.cancel_scope)
        # Caught here, since a task group would wrap it.
        try:
            with anyio.fail_after(seconds):
                results.append(await work())
        except Exception as error:
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not results:
        raise ClientLeftError
    return results[0]


async def _cancel_when_left(request: Receives, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
