"""The gate before the app: counts requests, asks for the key, and words what the limit refuses."""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus
from typing import Final

from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Histogram
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framesift_server.problems import answer
from framesift_server.schemas import Problem

OPEN: Final = frozenset({"/health", "/docs", "/openapi.json"})
"""Paths that need no key."""


class Gate:
    """An ASGI middleware; the body of a request without the key is not read."""

    def __init__(self, app: ASGIApp, *, key: SecretStr | None, registry: CollectorRegistry) -> None:
        """Takes the app behind it.

        Args:
            app: answers what passes.
            key: what clients must send, None for nothing.
            registry: where requests are counted.
        """
        self._app, self._key = app, key
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
                    await _too_large()(scope, receive, send)
            if not too_large:
                await send(message)

        try:
            app = self._app if self._may_enter(scope) else _unauthorized()
            await app(scope, receive, watch)
        finally:
            # What no route matched is one label, so that strangers cannot make new ones.
            path = getattr(scope.get("route"), "path", "other")
            self._requests.labels(path, status or "left").inc()
            self._seconds.labels(path).observe(time.perf_counter() - start)

    def _may_enter(self, scope: Scope) -> bool:
        if self._key is None or scope["path"] in OPEN:
            return True
        given = Headers(scope=scope).get("authorization", "")
        wanted = f"Bearer {self._key.get_secret_value()}"
        return secrets.compare_digest(given.encode(), wanted.encode())


def _unauthorized() -> JSONResponse:
    problem = Problem(
        title="Unauthorized",
        status=HTTPStatus.UNAUTHORIZED,
        detail="this server wants its key; send the header 'Authorization: Bearer KEY'",
    )
    return answer(problem, {"WWW-Authenticate": "Bearer"})


def _too_large() -> JSONResponse:
    problem = Problem(
        title="Request Entity Too Large",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        detail="the body is larger than this server allows; upload a video by POST /v1/uploads, "
        "or make it smaller",
    )
    return answer(problem)
