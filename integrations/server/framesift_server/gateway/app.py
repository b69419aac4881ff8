"""The ASGI app of a gateway: what it answers itself, and what goes through."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any, Final

import anyio
from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

import framesift
from framesift.serving import KnownHosts
from framesift_server import operating
from framesift_server.connection import ClientLeftError, while_connected
from framesift_server.database import connect
from framesift_server.ending import Closing
from framesift_server.gate import Gate
from framesift_server.gateway.chat import CHAT, Chat
from framesift_server.gateway.incoming import Incoming
from framesift_server.gateway.local import Local, LocalRequest
from framesift_server.gateway.models import MODELS, model_card, model_list, no_model, with_model
from framesift_server.gateway.openai_errors import GatewayError, error_response, shaped
from framesift_server.gateway.relay import Changes, Relay
from framesift_server.gateway.settings import GatewaySettings
from framesift_server.gateway.told import Savings
from framesift_server.gateway.tower import Tower
from framesift_server.gateway.upstream import Raw, Upstream, in_memory
from framesift_server.host import Host
from framesift_server.keys import Keys
from framesift_server.problems import ModelUnavailableError
from framesift_server.quotas import Quotas

logger = logging.getLogger(__name__)

OPEN: Final = frozenset({"/health", "/ready"})
"""Paths that need no key."""


class Gateway(Host):
    """Hands requests on to the upstream; usable within `open`."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__(settings, shaped)
        self.settings = settings
        address, model = settings.upstream, settings.vlm
        self._upstream = None if address is None else Upstream(address, settings)
        self.tower = None if model is None else Tower(model, settings)
        savings = Savings(self, settings.price_per_million)
        self._local = None if self.tower is None else Local(self.tower, self, savings)
        self._chat = Chat(settings, self, savings, self.tower)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Opens the database and the connections to the upstream until the block ends."""
        self.engine = connect(self.settings)
        self.quotas = Quotas(self.engine)
        connections = nullcontext() if self._upstream is None else self._upstream.open()
        try:
            async with connections, anyio.create_task_group() as group:
                group.start_soon(self._load)
                if self._upstream is not None:
                    group.start_soon(self._upstream.look)
                yield
                self.stop()
                self.end()
                group.cancel_scope.cancel()
        finally:
            self.engine.dispose()

    def welcome(self, address: str) -> str:
        """Returns where clients are pointed, and where their videos go."""
        settings = self.settings
        to = f"{settings.upstream} by the route {settings.route!r}"
        if settings.upstream is None:
            to = f"{settings.vlm!r} on this machine"
        return f"Point clients of OpenAI at {address}/v1; their videos go to {to}"

    def not_ready(self) -> str | None:
        """Returns why requests should go elsewhere for now, None where they should not."""
        if (reason := super().not_ready()) or self.tower is None or self.tower.loaded:
            return reason
        return self.tower.failure or f"{self.tower.name!r} is being loaded"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request by the upstream's answer, this machine's, or an error."""
        incoming, sending = Incoming(receive), Sending(send)
        try:
            with self.answering():
                answer = partial(self._answer, scope, incoming, sending)
                await while_connected(incoming, math.inf, answer)
        except ClientLeftError:
            return
        except Exception as error:
            if sending.began:  # an answer that ends too early is all that can still be told
                raise
            await error_response(error)(scope, receive, send)

    async def _load(self) -> None:
        """Loads the model of this machine; its requests wait in line meanwhile."""
        if self.tower is None:
            return
        with self.workers.joined(self.tower.name, "loading", math.inf) as place:
            try:
                await self.workers.run(place, self.tower.load)
            except ModelUnavailableError as error:  # requests for it will be told the same
                logger.error("%s", error)

    async def _answer(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        if Headers(scope=scope).get("upgrade", "").lower() == "websocket":
            line = "this gateway carries no web sockets; connect to the upstream itself for them"
            raise GatewayError(501, line)
        if not scope["path"].startswith("/"):
            line = "the target of the request is no path of this gateway; send one such as"
            raise GatewayError(400, f"{line} {MODELS}, not through it as through a proxy")
        changes, models = Changes(), (scope["method"], scope["path"]) == ("GET", MODELS)
        body, size_bytes = None, None
        if (scope["method"], scope["path"]) == ("POST", CHAT):
            prepared = await self._chat.prepared(scope, incoming)
            if isinstance(prepared, LocalRequest):
                assert self._local is not None
                await self._local.answer(prepared, incoming, scope, incoming.receive, send)
                return
            body, changes = in_memory(prepared.body), prepared.changes
            size_bytes = sum(map(len, prepared.body)) if prepared.rewritten else None
        elif self._upstream is None or self._is_own_model(scope):
            await self._alone(scope, incoming, send)
            return
        elif models and self.tower and self.tower.name != self.settings.embeds_for:
            changes, size_bytes = with_model(self.tower.name), 0
        assert self._upstream is not None
        headers = self._upstream.forwarded(scope)
        if body is None:
            body = await _body(headers, incoming)
        if size_bytes is not None:
            headers = _of_body(headers, size_bytes)
        relay = Relay(send, scope["path"])
        relay.changes = changes
        async with self._upstream.answers(scope, body, headers) as response:
            await relay.send(response)

    def _is_own_model(self, scope: Scope) -> bool:
        """Returns whether a request asks for the model of this machine, which the list has."""
        if self.tower is None or self.tower.name == self.settings.embeds_for:
            return False
        return (scope["method"], scope["path"]) == ("GET", f"{MODELS}/{self.tower.name}")

    async def _alone(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        """Answers what is no chat request where there is no upstream.

        Raises:
            GatewayError: there is nothing at this path.
        """
        assert self.tower is not None
        async for _ in incoming.chunks():
            pass
        method, path = scope["method"], scope["path"]
        if method != "GET" or path not in (MODELS, f"{MODELS}/{self.tower.name}"):
            if path.startswith(f"{MODELS}/"):
                raise no_model(path.removeprefix(f"{MODELS}/"), self.tower.name)
            raise GatewayError(
                404,
                f"there is no {method} {path[:200]} without an upstream; this gateway has "
                f"{CHAT} and {MODELS}, start it with --upstream for more",
            )
        one = path != MODELS
        response = JSONResponse(model_card(self.tower.name)) if one else model_list(self.tower.name)
        await response(scope, incoming.receive, send)


class Sending:
    """What sends to one client, and knows whether the head was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = False
        """After which no other answer can be given."""

    async def __call__(self, message: Message) -> None:
        """Sends a part of the answer."""
        self.began = True
        await self._send(message)


async def _body(headers: Raw, incoming: Incoming) -> AsyncIterator[bytes] | None:
    """Returns the body as it comes, None where there is none."""
    chunks = incoming.chunks()
    if {name for name, _ in headers} & {b"content-length", b"transfer-encoding"}:
        return chunks
    async for _ in chunks:
        pass
    return None


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
    app.router.default = gateway
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
    facts = {"upstream": gateway.settings.upstream, "vlm": gateway.tower and gateway.tower.name}
    told = {name: fact for name, fact in facts.items() if fact is not None}
    return {"status": "ok", "version": framesift.__version__, **told}


async def _ready(gateway: Gateway) -> Response:
    """Says whether requests should come: the database answers, and the gateway is not stopping."""
    if reason := await to_thread.run_sync(gateway.not_ready):
        return JSONResponse({"status": "not ready", "detail": reason}, 503, {"Retry-After": "5"})
    return JSONResponse({"status": "ok"})
