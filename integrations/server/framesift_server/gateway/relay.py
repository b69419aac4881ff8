"""Hands an upstream's answer to the client: byte for byte, or as an error that it can read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, cast

import httpx
from starlette.types import Send

from framesift_server.gateway.openai_errors import GatewayError, error_event
from framesift_server.gateway.upstream import Raw, failures, returned

MOST_HELD_BYTES: Final = 2**23
"""Largest answer that is read whole before its head is sent, so that its end is known to come."""
MOST_EVENT_BYTES: Final = 2**20
"""Largest event of a stream that is held back until it is whole."""
DONE: Final = (b"data: [DONE]", b"data:[DONE]")  # the space is each server's choice
ALWAYS_JSON: Final = frozenset(
    {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/responses"}
)
"""Paths that answer with JSON or events, and never with a page."""
TOLD: Final = ("retry-after", "www-authenticate", "allow", "x-should-retry", "x-request-id")
"""Headers that clients go by, which an error in the place of a page has as well."""
SHOWN: Final = 200
"""Letters of an upstream's page that an error shows."""
EditBody = Callable[[int, bytes], bytes]
EditEvent = Callable[[bytes], bytes]


def _same(_: int, body: bytes) -> bytes:
    return body


def _same_event(event: bytes) -> bytes:
    return event


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is different about an answer; nothing by default."""

    headers: Raw = field(default_factory=list)
    """Further ones."""
    body: EditBody = _same
    """Given status and body of an answer in JSON, returns the body to send."""
    event: EditEvent = _same_event
    """Given one event of a stream, returns what to send."""


class Relay:
    """One answer on its way."""

    def __init__(self, send: Send, path: str) -> None:
        """Takes where it goes.

        Args:
            send: to the client.
            path: of the request.
        """
        self._send, self._path = send, path
        self.changes = Changes()

    async def send(self, response: httpx.Response) -> None:
        """Sends an answer to its end.

        Raises:
            GatewayError: it is broken, or not what the path answers with.
        """
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        plain = "content-encoding" not in response.headers
        if kind == "text/event-stream" and plain and response.status_code < 400:
            await self._events(response)
            return
        api = self._path.startswith("/v1/")
        is_error = response.status_code >= 400
        page = kind == "text/html" and self._path in ALWAYS_JSON
        if api and (page or (is_error and not kind.endswith("json"))):
            raise await _page(response, kind)
        parts = cast(httpx.AsyncByteStream, response.stream).__aiter__()
        if kind.endswith("json") and response.request.method != "HEAD":
            await self._whole(response, parts)
        else:
            await self._head(response, returned(response))
            await self._rest(parts)

    async def _whole(self, response: httpx.Response, parts: AsyncIterator[bytes]) -> None:
        """Sends JSON once it has come to its end, unless it is very large."""
        held = bytearray()
        with failures():
            async for part in parts:
                held += part
                if len(held) > MOST_HELD_BYTES:
                    break
            else:
                body = bytes(held)
                if "content-encoding" not in response.headers:
                    body = self.changes.body(response.status_code, body)
                headers = [pair for pair in returned(response) if pair[0] != b"content-length"]
                length = (b"content-length", str(len(body)).encode())
                await self._head(response, [*headers, length])
                await self._send({"type": "http.response.body", "body": body})
                return
        await self._head(response, returned(response))
        await self._send({"type": "http.response.body", "body": bytes(held), "more_body": True})
        await self._rest(parts)

    async def _rest(self, parts: AsyncIterator[bytes]) -> None:
        with failures():
            async for part in parts:
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _events(self, response: httpx.Response) -> None:
        """Sends a stream event by event, and an error as its last one where it breaks off.

        Half an event is never sent: a client would fail on it instead of reading the error.
        """
        await self._head(response, returned(response))
        held, done = b"", False
        try:
            with failures():
                async for part in cast(httpx.AsyncByteStream, response.stream):
                    held += part
                    end = _end_of_events(held)
                    if not end and len(held) <= MOST_EVENT_BYTES:
                        continue
                    whole, held = held[: end or None], held[end:] if end else b""
                    done = done or _is_done(whole)
                    await self._body(self.changes.event(whole))
            if held.strip() and not done:
                await self._body(self.changes.event(held))
                done = _is_done(held)
            if not done and self._path == "/v1/chat/completions":
                line = "the upstream ended its stream without [DONE]; its log may say why"
                await self._body(error_event(502, line))
        except GatewayError as error:
            await self._body(error_event(error.status, str(error)))
        await self._send({"type": "http.response.body", "body": b""})

    async def _head(self, response: httpx.Response, headers: Raw) -> None:
        start = {"type": "http.response.start", "status": response.status_code}
        await self._send({**start, "headers": [*headers, *self.changes.headers]})

    async def _body(self, part: bytes) -> None:
        if part:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})


def _is_done(events: bytes) -> bool:
    return any(mark in events for mark in DONE)


def _end_of_events(held: bytes) -> int:
    """Returns where the last whole event ends; 0 where none does."""
    marks = (b"\n\n", b"\r\n\r\n")
    return max(held.rfind(mark) + len(mark) if mark in held else 0 for mark in marks)


async def _page(response: httpx.Response, kind: str) -> GatewayError:
    """Returns the error in the place of a page, with how it begins."""
    text = b""
    with failures():
        async for part in cast(httpx.AsyncByteStream, response.stream):
            text += part
            if len(text) >= SHOWN * 8:
                break
    shown = " ".join(text.decode(errors="replace").split())[:SHOWN]
    status = response.status_code if response.status_code >= 400 else 502
    said = f"the upstream answered {response.status_code} with {kind or 'no type'} instead of JSON"
    advice = "its log may say why"
    if kind == "text/html" or status == HTTPStatus.NOT_FOUND:
        advice = (
            "see whether --upstream is the address of an OpenAI-compatible endpoint, which ends in "
            "/v1 as a rule, and whether it has this path"
        )
    told = {name: value for name in TOLD if (value := response.headers.get(name)) is not None}
    return GatewayError(status, f"{said}: {shown!r}; {advice}", code="upstream_error", headers=told)
