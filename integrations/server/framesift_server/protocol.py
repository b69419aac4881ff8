"""HTTP/1.1 as uvicorn speaks it, with clients that must keep up or are cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import h11
from prometheus_client import CollectorRegistry, Counter
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from framesift_server.clients import BACKLOG, Bounds, Pace, network_of, room_for
from framesift_server.problems import Shape, answer
from framesift_server.schemas import Problem

RETRY_SECONDS: Final = 1
LOOKS: Final = 10
"""How often within the time that a client has it is looked at."""


class Clients:
    """What the connections of one server share; the app hands it on as `clients` of its state."""

    def __init__(self, bounds: Bounds, registry: CollectorRegistry, shape: Shape = answer) -> None:
        self.bounds, self.shape = bounds, shape
        self._cut_off = Counter(
            "framesift_connections_cut_off",
            "Connections that were refused, were too slow, or made room for others.",
            ["reason"],
            registry=registry,
        )

    def count(self, reason: str) -> None:
        """Counts a connection that was refused or cut off."""
        self._cut_off.labels(reason).inc()


class BoundedProtocol(H11Protocol):
    """One connection; needs an app whose lifespan yields `clients`.

    uvicorn itself bounds only how long a connection may be idle between two requests.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._clients: Clients = app_state["clients"]
        self.address: str | None = None
        self.waiting_since: float | None = self.loop.time()
        self._head_since: float | None = self.loop.time()
        self._coming = Pace(self._clients.bounds, self.loop.time())
        self._going = Pace(self._clients.bounds, self.loop.time())
        self._unsent = 0
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a connection, if there is room for it."""
        others = [
            other
            for other in self.connections
            if isinstance(other, BoundedProtocol) and not other.transport.is_closing()
        ]
        super().connection_made(transport)
        # What is buffered is then one message, so that each stretch without progress is seen.
        transport.set_write_buffer_limits(high=0)
        self.address = network_of(self.client[0]) if self.client else None
        self._watch()
        match room_for(self, others, self._clients.bounds):
            case None:
                return
            case str() as line:
                self._cut_off("no room", HTTPStatus.SERVICE_UNAVAILABLE, line)
            case BoundedProtocol() as other:
                other._abort("made room")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what the client sends."""
        self._coming.add(len(data))
        super().data_received(data)
        self._note_request()

    def on_response_complete(self) -> None:
        """Goes on to the next request."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self.waiting_since, self._head_since = self.loop.time(), None

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        line = "this is no request of HTTP/1.1 that can be read; see its first line and its headers"
        self._refuse(HTTPStatus.BAD_REQUEST, line, {})
        self.transport.close()

    def resume_writing(self) -> None:
        """Notes that the client has read everything."""
        self._going.restart(self.loop.time())
        super().resume_writing()

    def _note_request(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self.waiting_since = self._head_since = None
        elif self._head_since is None:
            self._head_since = self.loop.time()
            self.waiting_since = self.waiting_since or self._head_since

    def _watch(self) -> None:
        self._look = self.loop.call_later(self._clients.bounds.seconds / LOOKS, self._watch)
        now, bounds = self.loop.time(), self._clients.bounds
        unsent = self.transport.get_write_buffer_size()
        self._going.add(self._unsent - unsent)
        self._unsent = unsent
        if not unsent:
            self._going.restart(now)
        elif self._going.lags(now):
            self._abort("slow to read")
            return
        if self.transport.is_closing():
            return
        if self._head_since is not None and now - self._head_since >= bounds.seconds:
            line = f"the head of the request did not come within {bounds.seconds:g} s"
            self._cut_off("slow head", HTTPStatus.REQUEST_TIMEOUT, line)
        elif not self._client_owes_body:
            self._coming.restart(now)
        elif self._coming.lags(now):
            least = f"{bounds.bytes_per_second:g} bytes per second"
            line = f"the body came slower than the {least} that this server wants"
            self._cut_off("slow body", HTTPStatus.REQUEST_TIMEOUT, line)

    @property
    def _client_owes_body(self) -> bool:
        waits_for_us = self.flow.read_paused or self.conn.they_are_waiting_for_100_continue
        return self.conn.their_state is h11.SEND_BODY and not waits_for_us

    def _cut_off(self, reason: str, status: HTTPStatus, line: str) -> None:
        """Answers where nothing was answered yet, and closes."""
        self._clients.count(reason)
        self._refuse(status, line, {"retry-after": str(RETRY_SECONDS)})
        if self.cycle is not None and not self.cycle.response_complete:
            # The app is told that its client has left; what it answers is dropped.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _refuse(self, status: HTTPStatus, line: str, headers: Mapping[str, str]) -> None:
        """Answers where nothing was answered yet."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        problem = Problem(title=status.phrase, status=status, detail=line)
        made = self._clients.shape(problem, {**headers, "connection": "close"})
        head = h11.Response(
            status_code=status, headers=made.raw_headers, reason=status.phrase.encode()
        )
        for event in (head, h11.Data(data=bytes(made.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def _abort(self, reason: str) -> None:
        """Closes at once; what was not sent is dropped."""
        self._clients.count(reason)
        self.transport.abort()


CONFIG: Final[Mapping[str, Any]] = {"http": BoundedProtocol, "ws": "none", "backlog": BACKLOG}
"""What a `uvicorn.Config` is given besides the app and its address."""
