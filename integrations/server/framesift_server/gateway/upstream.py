"""The endpoint behind a gateway: where requests go, and in which words it may fail."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio
import httpx
from starlette.types import Scope

from framesift_server.gateway.openai_errors import GatewayError
from framesift_server.gateway.settings import GatewaySettings

KEPT_SECONDS: Final = 2.5
"""How long an idle connection is used again; servers close theirs after 5 s as a rule."""
PIECE: Final = 2**18
"""Bytes that are sent at once."""
OF_CONNECTION: Final = frozenset(
    {
        b"connection",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that hold for one connection, not for the message that it carries (RFC 9110)."""
OWN: Final = b"x-framesift-"
"""How headers begin that are for the gateway, or from it."""
FAILURES: Final[Mapping[type[Exception], tuple[int, str]]] = {
    httpx.ConnectTimeout: (504, "takes no connection in time; see whether it is overloaded"),
    httpx.PoolTimeout: (
        503,
        "has as many connections as it may; come again later, or raise --upstream-connections",
    ),
    httpx.TimeoutException: (
        504,
        "is slower than --upstream-seconds allows; ask for less, or raise it",
    ),
    httpx.ConnectError: (502, "does not answer; start it, or give its address by --upstream"),
    httpx.TransportError: (502, "broke off; its log may say why"),
}
"""The status and line of a failure are those of the first class here that it belongs to."""
Raw = list[tuple[bytes, bytes]]
logger = logging.getLogger(__name__)


class Pieces(httpx.AsyncByteStream):
    """A body that is sent as it comes."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


async def in_memory(parts: Iterable[bytes | bytearray | memoryview]) -> AsyncIterator[bytes]:
    """Yields a body that is held already."""
    for part in parts:
        for start in range(0, len(part), PIECE):
            yield bytes(memoryview(part)[start : start + PIECE])


class Upstream:
    """Sends requests on; usable within `open`."""

    def __init__(self, address: str, settings: GatewaySettings) -> None:
        self._url = httpx.URL(address)
        self._root = httpx.URL(address.removesuffix("/v1"))
        self._key = settings.upstream_key
        self._hides_key = settings.locked
        self._host = self._url.netloc
        self._timeout = {
            "connect": settings.upstream_connect_seconds,
            "pool": settings.upstream_connect_seconds,
            "read": settings.upstream_seconds,
            "write": settings.upstream_seconds,
        }
        most = settings.upstream_connections
        self._limits = httpx.Limits(
            max_connections=most, max_keepalive_connections=most, keepalive_expiry=KEPT_SECONDS
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Holds connections until the block ends."""
        # The transport alone: a client would add headers, keep cookies and follow redirects.
        self._transport = httpx.AsyncHTTPTransport(limits=self._limits)
        async with self._transport:
            yield

    async def look(self) -> None:
        """Warns where nothing listens at the upstream's address yet."""
        port = self._url.port or {"http": 80, "https": 443}[self._url.scheme]
        try:
            with anyio.fail_after(self._timeout["connect"]):
                connection = await anyio.connect_tcp(self._url.host, port)
        except (OSError, TimeoutError):
            logger.warning("nothing answers at %s yet; until it does, requests are 502", self._url)
        else:
            await connection.aclose()

    @asynccontextmanager
    async def answers(
        self, scope: Scope, body: AsyncIterator[bytes] | None, headers: Raw
    ) -> AsyncIterator[httpx.Response]:
        """Gives the head of the upstream's answer, whose stream is to be read within the block.

        Leaving the block, or cancelling it, ends the request at the upstream too.

        Args:
            scope: of the client's request, for its method, path and query.
            body: what to send; None where there is no body.
            headers: to send, as `forwarded` gives them.

        Raises:
            GatewayError: the upstream does not answer.
        """
        request = httpx.Request(
            scope["method"],
            self._address(scope),
            headers=[(b"Host", self._host), *headers],
            stream=httpx.ByteStream(b"") if body is None else Pieces(body),
            extensions={"timeout": self._timeout},
        )
        with failures():
            response = await self._transport.handle_async_request(request)
        response.request = request
        try:
            yield response
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    def forwarded(self, scope: Scope) -> Raw:
        """Returns the headers of a client's request that the upstream gets, in their order."""
        lines = [value for name, value in scope["headers"] if name == b"connection"]
        named = b",".join(lines).lower().split(b",")
        dropped = {*OF_CONNECTION, *(name.strip() for name in named)}
        in_chunks = b"transfer-encoding" in {name for name, _ in scope["headers"]}
        if in_chunks:  # a length beside it is not true, and some servers go by it (RFC 9112, 6.3)
            dropped.add(b"content-length")
        if self._key is not None or self._hides_key:
            dropped.add(b"authorization")
        sent = [
            (name, value)
            for name, value in scope["headers"]
            if name not in dropped and not name.startswith(OWN)
        ]
        if self._key is not None:
            sent.append((b"authorization", b"Bearer " + self._key.get_secret_value().encode()))
        if in_chunks:
            sent.append((b"transfer-encoding", b"chunked"))
        return sent

    def _address(self, scope: Scope) -> httpx.URL:
        path = scope.get("raw_path") or scope["path"].encode()
        base = self._root
        if path.startswith(b"/v1/") or path == b"/v1":
            base, path = self._url, path[3:]
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        return base.copy_with(raw_path=base.raw_path.rstrip(b"/") + path + query)


def returned(response: httpx.Response) -> Raw:
    """Returns the headers of an upstream's answer that the client gets, in their order."""
    named = response.headers.get("connection", "").lower().encode("latin-1").split(b",")
    dropped = {*OF_CONNECTION, *(name.strip() for name in named)}
    lower = ((name.lower(), value) for name, value in response.headers.raw)
    return [(name, value) for name, value in lower if name not in dropped]


@contextmanager
def failures() -> Iterator[None]:
    """Turns what goes wrong with the upstream into an error in one line.

    Raises:
        GatewayError: it does not answer, is too slow, or breaks off.
    """
    try:
        yield
    except httpx.TransportError as error:
        kind = next(kind for kind in FAILURES if isinstance(error, kind))
        status, line = FAILURES[kind]
        logger.error("the upstream %s (%s)", line, str(error) or type(error).__name__)
        again = kind is not httpx.TimeoutException  # the work would begin anew, and be cut off
        line = f"the upstream {line}"
        raise GatewayError(status, line, code="upstream_error", again=again) from error
