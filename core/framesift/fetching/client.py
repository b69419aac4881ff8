"""An HTTP client for links from strangers, over `httpcore` with connections of our own.

It follows redirects itself and judges each, refuses encoded bodies, ignores the environment's
proxies, and counts every byte. `connections.py` decides whom it talks to and for how long.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from email.message import Message
from http.cookiejar import CookieJar
from typing import Final, Self

import httpcore

from framesift.errors import DownloadError, ForbiddenAddressError, FramesiftError
from framesift.fetching._unlogged import unlogged
from framesift.fetching.connections import Allowance, JudgedBackend
from framesift.fetching.limits import FetchLimits
from framesift.fetching.links import DEFAULT_PORTS, checked_link, redirected, without_secrets

BROKEN: Final = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MAX_DIGITS: Final = 18
"""Most digits of a length that a server claims; longer texts are ignored and cost `int` nothing."""
USER_AGENT: Final = "framesift (+https://github.com/framesift/framesift)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer to a request; its body comes from `chunks` and must be closed."""

    url: str
    status: int
    headers: Message
    chunks: Iterator[bytes]
    close: Callable[[], None]

    def info(self) -> Message:
        """Returns the headers, under the name that `http.cookiejar` asks for."""
        return self.headers

    @property
    def length_bytes(self) -> int | None:
        """Size of the body as the server claims it."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


class Client:
    """Sends requests, one after another, under one `Allowance`."""

    def __init__(self, limits: FetchLimits) -> None:
        self.limits = limits
        self.allowance = Allowance(limits=limits)
        self._pool = httpcore.ConnectionPool(
            network_backend=JudgedBackend(self.allowance), max_connections=None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def send(
        self,
        uri: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        cookies: CookieJar | None = None,
    ) -> Response:
        """Returns the answer behind all redirects, whatever its status.

        Raises:
            ForbiddenAddressError: the link or a redirect leads out of bounds.
            VideoTooLargeError: the server announces more bytes than are left.
            DownloadError: no answer came, or one that cannot be read.
        """
        headers = dict(headers or {})
        for _ in range(self.limits.max_redirects + 1):
            response = self._send_once(uri, method, headers, body, cookies)
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or location is None:
                return self._checked(response, method)
            response.close()
            uri, origin = redirected(uri, location), uri
            headers = redirected_headers(origin, uri, headers, self.limits)
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), None
        raise DownloadError(
            f"{without_secrets(uri)!r} redirects more than max_redirects="
            f"{self.limits.max_redirects!r} times; give the link it ends at"
        )

    def _send_once(
        self,
        uri: str,
        method: str,
        headers: Mapping[str, str],
        body: bytes | None,
        cookies: CookieJar | None,
    ) -> Response:
        url = checked_link(uri, self.limits)
        carrier = urllib.request.Request(
            bytes(url).decode("ascii"), headers={"User-Agent": USER_AGENT, **headers}
        )
        if cookies is not None:
            cookies.add_cookie_header(carrier)
        request = httpcore.Request(method, url, headers=_wire(carrier, url, body), content=body)
        with self._errors_of(uri), nullcontext() if cookies is None else unlogged():
            answer = self._pool.handle_request(request)
        fields = Message()
        for name, value in answer.headers:
            fields.add_header(name.decode("latin-1"), value.decode("latin-1"))
        response = Response(
            url=uri,
            status=answer.status,
            headers=fields,
            chunks=self._chunks(answer, uri),
            close=answer.close,
        )
        if cookies is not None:
            cookies.extract_cookies(response, carrier)  # type: ignore[arg-type]
        return response

    def _checked(self, response: Response, method: str) -> Response:
        coding = response.headers.get("Content-Encoding", "identity")
        try:
            if method != "HEAD":
                self.allowance.announce(response.length_bytes)
            if coding.strip().lower() != "identity":
                raise DownloadError(
                    f"{without_secrets(response.url)!r} came with Content-Encoding {coding!r}; "
                    "only plain bytes are read; give another link"
                )
        except BaseException:
            response.close()
            raise
        return response

    def _chunks(self, answer: httpcore.Response, uri: str) -> Iterator[bytes]:
        with self._errors_of(uri):
            for chunk in answer.iter_stream():
                self.allowance.spend(len(chunk))
                yield chunk

    @contextmanager
    def _errors_of(self, uri: str) -> Iterator[None]:
        try:
            yield
        except FramesiftError:
            raise
        except httpcore.TimeoutException as error:
            message = self.allowance.timeout_message()
            raise DownloadError(f"{without_secrets(uri)!r}: {message}") from error
        except httpcore.LocalProtocolError:
            # Its text, and its cause's, hold the header that is wrong, which may be a cookie.
            raise DownloadError(
                f"{without_secrets(uri)!r} was not asked: a cookie or header for it holds letters "
                "that no request may have; export the cookies again"
            ) from None
        except (*BROKEN, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise DownloadError(
                f"{without_secrets(uri)!r} broke off: {reason}; try again later"
            ) from error


def _wire(
    carrier: urllib.request.Request, url: httpcore.URL, body: bytes | None
) -> list[tuple[bytes, bytes]]:
    host = url.host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    if url.port != DEFAULT_PORTS[url.scheme.decode("ascii")]:
        host = f"{host}:{url.port}"
    fixed = {"Host": host, "Accept-Encoding": "identity"}
    if body is not None:
        fixed["Content-Length"] = str(len(body))
    named = {name.lower(): (name, value) for name, value in carrier.header_items()}
    named.update({name.lower(): (name, value) for name, value in fixed.items()})
    return [(name.encode("latin-1"), _sent(value)) for name, value in named.values()]


def _sent(value: str) -> bytes:
    """Returns a header's value as browsers send it: UTF-8 where Latin-1 has not all letters."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", errors="replace")


def redirected_headers(
    origin: str, target: str, headers: Mapping[str, str], limits: FetchLimits
) -> dict[str, str]:
    """Returns the headers that may go on to where a response redirects.

    Raises:
        ForbiddenAddressError: the redirect leaves encryption, or leads where nothing may go.
    """
    old, new = checked_link(origin, limits), checked_link(target, limits)
    if old.scheme == b"https" and new.scheme == b"http":
        raise ForbiddenAddressError(
            f"{without_secrets(origin)!r} redirects from https to http; only redirects that stay "
            "encrypted are followed; give the http link itself if you trust it"
        )
    if old.origin == new.origin:
        return dict(headers)
    private = {"authorization", "cookie", "content-length"}
    return {name: value for name, value in headers.items() if name.lower() not in private}
