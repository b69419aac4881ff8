"""The ASGI app of a gateway: what it answers itself, and what goes through."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

import framesift
from framesift.serving import KnownHosts
from framesift_server import operating
from framesift_server.connection import ClientLeftError, while_connected
from framesift_server.database import connect
from framesift_server.ending import Closing
from framesift_server.gate import Gate
from framesift_server.gateway.chat import CHAT, Chat
from framesift_server.gateway.incoming import Incoming
from framesift_server.gateway.openai_errors import error_response, shaped
from framesift_server.gateway.relay import Relay
from framesift_server.gateway.settings import GatewaySettings
from framesift_server.gateway.upstream import Raw, Upstream, in_memory
from framesift_server.host import Host
from framesift_server.keys import Keys
from framesift_server.quotas import Quotas

OPEN: Final = frozenset({"/health", "/ready"})
"""Paths that need no key."""


class Gateway(Host):
    """Hands requests on to the upstream; usable within `open`."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__(settings, shaped)
        self.settings = settings
        self._upstream = Upstream(settings)
        self._chat = Chat(settings, self)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Opens the database and the connections to the upstream until the block ends."""
        self.engine = connect(self.settings)
        self.quotas = Quotas(self.engine)
        try:
            async with self._upstream.open():
                yield
                self.stop()
                self.end()
        finally:
            self.engine.dispose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request by the upstream's answer, or by an error."""
        incoming = Incoming(receive)
        relay = Relay(send, scope["path"])
        try:
            with self.answering():
                pass_on = partial(self._answer, scope, incoming, relay)
                await while_connected(incoming, math.inf, pass_on)
        except ClientLeftError:
            return
        except Exception as error:
            if relay.began:  # an answer that ends too early is all that can still be told
                raise
            await error_response(error)(scope, receive, send)

    async def _answer(self, scope: Scope, incoming: Incoming, relay: Relay) -> None:
        headers = self._upstream.forwarded(scope)
        if (scope["method"], scope["path"]) == ("POST", CHAT):
            prepared = await self._chat.prepared(scope, incoming)
            relay.changes = prepared.changes
            if prepared.rewritten:
                headers = _of_body(headers, sum(map(len, prepared.body)))
            body = in_memory(prepared.body)
            async with self._upstream.answers(scope, body, headers) as response:
                await relay.send(response)
            return
        names = {name for name, _ in headers}
        has_body = bool(names & {b"content-length", b"transfer-encoding"})
        chunks = incoming.chunks()
        if not has_body:
            async for _ in chunks:
                pass
        sent = chunks if has_body else None
        async with self._upstream.answers(scope, sent, headers) as response:
            await relay.send(response)


def _of_body(headers: Raw, size_bytes: int) -> Raw:
    """Returns the headers of a request whose body is another one now, and whose answer is read."""
    changed = (b"accept-encoding", b"content-length", b"transfer-encoding")
    kept = [pair for pair in headers if pair[0] not in changed]
    length = (b"content-length", str(size_bytes).encode())
    return [*kept, length, (b"accept-encoding", b"identity")]


def create_gateway(settings: GatewaySettings) -> FastAPI:
    """Returns the app of one gateway."""
    gateway = Gateway(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with gateway.open():
            yield {"clients": gateway.clients}

    # The pages of its description are the upstream's.
    app = FastAPI(title="framesift gateway", lifespan=lifespan, docs_url=None, openapi_url=None)
    app.state.service = gateway
    app.add_exception_handler(RequestValidationError, _wrong)
    app.include_router(operating.accounts)
    app.add_api_route("/health", partial(_health, gateway), methods=["GET"])
    app.add_api_route("/ready", partial(_ready, gateway), methods=["GET"])
    app.mount("/", gateway)
    app.add_middleware(Closing, service=gateway, shape=shaped)
    app.add_middleware(
        Gate,
        hosts=KnownHosts.of(settings.host, settings.allow_host),
        keys=Keys.of(settings),
        quotas=lambda: gateway.quotas,
        registry=gateway.registry,
        open_paths=OPEN,
        shape=shaped,
    )
    return app


async def _wrong(_: Request, error: Exception) -> Response:
    return error_response(error)


def _health(gateway: Gateway) -> dict[str, Any]:
    """Says that the gateway lives."""
    return {"status": "ok", "version": framesift.__version__, "upstream": gateway.settings.upstream}


async def _ready(gateway: Gateway) -> Response:
    """Says whether requests should come: the database answers, and the gateway is not stopping."""
    if reason := await to_thread.run_sync(gateway.not_ready):
        return JSONResponse({"status": "not ready", "detail": reason}, 503, {"Retry-After": "5"})
    return JSONResponse({"status": "ok"})
