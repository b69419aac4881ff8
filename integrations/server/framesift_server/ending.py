"""A server that shuts down in bounded time, loses no job and leaves nothing behind."""

from __future__ import annotations

import logging
import signal
import time
from multiprocessing import parent_process
from socket import socket
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from framesift.serving import end_within, unwound_by_sigterm
from framesift_server.host import Host
from framesift_server.problems import ServerStoppingError, Shape, answer, problem_of

STEP_SECONDS: Final = 2
"""How long requests that are told to end may take to their next step and to say so."""
LEFT_SECONDS: Final = 5.0
"""How much later the process ends where a thread takes no step."""
STILL_ANSWERED: Final = frozenset({"/health", "/ready", "/metrics"})


class Closing:
    """An ASGI middleware that refuses what comes to a server that is about to end."""

    def __init__(self, app: ASGIApp, *, service: Host, shape: Shape = answer) -> None:
        self._app, self._service, self._shape = app, service, shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        refused = self._service.stopping and scope.get("path") not in STILL_ANSWERED
        if scope["type"] == "http" and refused:
            error = ServerStoppingError()
            headers = {"Retry-After": str(error.retry_seconds), "Connection": "close"}
            await self._shape(problem_of(error), headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Server(uvicorn.Server):
    """One that takes no more work from SIGTERM on, and ends once what is in work has ended."""

    def __init__(self, config: uvicorn.Config, service: Host, *, supervised: bool) -> None:
        """Takes what it serves.

        Args:
            config: whose app is that of the service.
            service: is told that the server ends.
            supervised: whether the parent process ends it: by a signal, or by its own death.
        """
        super().__init__(config)
        self._service = service
        # Known from the start: it may have died while this process was imported.
        self._parent = parent_process() if supervised else None
        self._end_at: float | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begins to listen, and says what for."""
        await super().startup(sockets)
        if self.servers and self._parent is None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            if line := self._service.welcome(f"http://{shown}:{port}"):
                logging.getLogger("uvicorn.error").info(line)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stops serving; a second signal ends the process at once."""
        if self._parent is not None and sig == signal.SIGINT:
            return  # Ctrl-C reaches the parent as well, which hands it on
        if self._end_at is not None:
            end_within(0.0, code=128 + sig)
            return
        self._captured_signals.append(sig)
        self._begin_to_end(128 + sig)

    async def on_tick(self, counter: int) -> bool:
        """Ends where nothing is in work any more, or the time for it is over."""
        if self._parent and not self._parent.is_alive() and self._end_at is None:
            for listening in self.servers:  # the next supervisor needs the address at once
                listening.close()
            self._begin_to_end(128 + signal.SIGTERM)
        if self._end_at is not None:
            self._service.stop()
            if time.monotonic() >= self._end_at:
                await self._service.release()
                self._service.end()
                self.should_exit = True
            elif self._service.idle and not self.server_state.tasks:
                self.should_exit = True
        return await super().on_tick(counter)

    def _begin_to_end(self, code: int) -> None:
        seconds = self._service.grace_seconds
        self._end_at = time.monotonic() + seconds
        end_within(seconds + LEFT_SECONDS, code)


def serve(config: uvicorn.Config, service: Host, listener: socket | None = None) -> None:
    """Serves until a signal ends it, which then ends the process with 128 and its number.

    Args:
        config: whose app is that of the service.
        service: what is served.
        listener: the socket of the supervisor of several processes, None for a single one.
    """
    with unwound_by_sigterm():
        server = Server(config, service, supervised=listener is not None)
        server.run(None if listener is None else [listener])
