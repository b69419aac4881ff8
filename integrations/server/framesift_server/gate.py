"""The gate before the app: knows the hosts and keys, holds the quotas, and counts requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Final

from anyio import CancelScope, to_thread
from prometheus_client import CollectorRegistry, Counter, Histogram
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framesift.serving import KnownHosts
from framesift_server.keys import Client, Keys
from framesift_server.problems import Shape, answer, problem_of
from framesift_server.quotas import DAY, MINUTE, QuotaError, Quotas
from framesift_server.schemas import Problem

OPEN: Final = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
"""Paths that need no key."""
UPLOADS: Final = "/v1/uploads"


class RefusedError(Exception):
    """A request that does not get to the app."""

    def __init__(self, status: int, line: str, **headers: str) -> None:
        super().__init__(line)
        self.status, self.headers = HTTPStatus(status), headers

    def response(self, shape: Shape) -> Response:
        """Returns what its client is told."""
        title, headers = self.status.phrase, self.headers
        problem = Problem(title=title, status=self.status, detail=str(self))
        return shape(problem, {name.replace("_", "-"): text for name, text in headers.items()})


class Gate:
    """An ASGI middleware; the body of a request that it refuses is not read."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: KnownHosts,
        keys: Keys,
        quotas: Callable[[], Quotas],
        registry: CollectorRegistry,
        open_paths: Collection[str] = OPEN,
        shape: Shape = answer,
    ) -> None:
        """Takes the app behind it.

        Args:
            app: answers what passes; finds the name of the client as `client_name` of the scope.
            hosts: names by which the server is reached.
            keys: who may use it.
            quotas: returns what clients have left; called once the app has started.
            registry: where requests are counted.
            open_paths: those that need no key.
            shape: of what it refuses.
        """
        self._open, self._shape = open_paths, shape
        self._app, self._hosts, self._keys, self._quotas = app, hosts, keys, quotas
        self._requests = Counter(
            "framesift_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "framesift_request_seconds",
            "Time to the end of the response.",
            ["path"],
            buckets=(0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120),
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, too_large = time.perf_counter(), 0, False

        async def watch(message: Message) -> None:
            nonlocal status, too_large
            if message["type"] == "http.response.start":
                status = message["status"]
                plain = Headers(raw=message["headers"]).get("content-type", "")[:10] == "text/plain"
                too_large = plain and status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                if too_large:
                    await _too_large().response(self._shape)(scope, receive, send)
            if not too_large:
                await send(message)

        try:
            try:
                give_back = await self._enter(scope)
            except RefusedError as refused:
                await refused.response(self._shape)(scope, receive, watch)
                return
            try:
                await self._app(scope, receive, watch)
            except Exception:
                status = status or 500  # what is outside of this gate answers it
                raise
            finally:
                if status != HTTPStatus.CREATED and give_back:
                    with CancelScope(shield=True):
                        await to_thread.run_sync(give_back)
        finally:
            # What no route matched is one label, so that strangers cannot make new ones.
            path = getattr(scope.get("route"), "path", "other")
            self._requests.labels(path, status or "left").inc()
            self._seconds.labels(path).observe(time.perf_counter() - start)

    async def _enter(self, scope: Scope) -> Callable[[], None] | None:
        """Returns what gives back the quota that a failed upload does not use.

        Raises:
            RefusedError: the request must not pass.
        """
        headers, path = Headers(scope=scope), scope["path"]
        if refusal := self._hosts.refusal(headers.get("host"), headers.get("origin")):
            raise RefusedError(*refusal)
        if path in self._open:
            return None
        client = self._keys.of_header(headers.get("authorization", ""))
        if client is None:
            line = "this server wants a key; send the header 'Authorization: Bearer KEY'"
            raise RefusedError(401, line, WWW_Authenticate="Bearer")
        if path == "/metrics" and not client.operator:
            line = "metrics tell of all clients; set `operator = true` for a key that may read them"
            raise RefusedError(403, line)
        scope["client_name"] = client.name
        try:
            return await self._take(client, scope["method"], path, headers)
        except QuotaError as error:
            raise RefusedError(429, str(error), Retry_After=str(error.retry_seconds)) from error
        except SQLAlchemyError as error:
            problem = problem_of(error)
            raise RefusedError(problem.status, problem.detail) from error

    async def _take(
        self, client: Client, method: str, path: str, headers: Headers
    ) -> Callable[[], None] | None:
        quotas = self._quotas()
        if client.requests_per_minute is not None and path.startswith("/v1/"):
            one = [("requests", 1, client.requests_per_minute)]
            await to_thread.run_sync(quotas.take, client.name, one, MINUTE)
        if (method, path) != ("POST", UPLOADS):
            return None
        size_bytes = headers.get("content-length", "")
        if client.upload_bytes_per_day is not None and not size_bytes.isdecimal():
            raise RefusedError(411, "uploads of this key are counted; send a Content-Length")
        amounts = (
            ("uploads", 1, client.uploads_per_day),
            ("upload bytes", int(size_bytes or 0), client.upload_bytes_per_day),
        )
        return await to_thread.run_sync(quotas.take, client.name, amounts, DAY)


def _too_large() -> RefusedError:
    return RefusedError(
        413,
        "the body is larger than this server allows; upload a video by POST /v1/uploads, "
        "or make it smaller",
    )
