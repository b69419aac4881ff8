"""A model behind an address that speaks OpenAI's protocol: asked again, but never without end.

A request that failed for a reason that may pass is sent again: no connection, no answer in time,
HTTP 429 and 5xx, and an answer that holds something else than what was asked for. The waits double,
and are at least what `Retry-After` says.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol, TypeVar

from framesift.errors import (
    DownloadError,
    EndpointError,
    ForbiddenAddressError,
    InvalidOptionError,
    ReplyError,
    SourceError,
)
from framesift.fetching.client import Client, Response
from framesift.fetching.limits import FetchLimits
from framesift.fetching.links import checked_link, without_secrets
from framesift.fetching.side_by_side import is_over, paused
from framesift.fetching.spent import Spent
from framesift.registry import require
from framesift.types.options import shown
from framesift.types.text import printable

Value = TypeVar("Value")

KEY_VARIABLE: Final = "FRAMESIFT_API_KEY"
"""Environment variable that holds the key where no other is named."""
PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
"""HTTP statuses that may be others the next time."""
MOST_WAIT_SECONDS: Final = 120.0
"""Longest wait between two tries, whatever the server asks for."""
MOST_BYTES: Final = 2**24
"""Largest reply that is read."""
LONGEST: Final = 200
"""Letters of a server's own message that are passed on."""
SHORTEST_KEY: Final = 6
"""Letters of what is kept secret; servers that need no key are given `x` or `none`."""


class Replies(Protocol):
    """What was replied to requests before, by the digest of the request."""

    def get(self, key: str) -> Any:
        """Returns what was read of the reply, None where there is none."""

    def add(self, key: str, value: Any) -> None:
        """Keeps what was read of a reply; it is JSON-safe."""


class Endpoint:
    """Where `POST .../chat/completions` is answered. Threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        key_variable: str = KEY_VARIABLE,
        timeout_seconds: float = 120.0,
        attempts: int = 5,
        replies: Replies | None = None,
    ) -> None:
        """Takes the address; nothing is sent yet.

        Args:
            url: what stands before `/chat/completions`, such as `"http://localhost:8000/v1"`. It
                may be a private address: whoever names it means it. Redirects are not followed.
            key_variable: environment variable with the key; without one, none is sent.
            timeout_seconds: longest wait for an answer.
            attempts: how often a request is sent before it counts as failed.
            replies: what was paid for before, and takes what is now.

        Raises:
            InvalidOptionError: the address is none.
        """
        self._limits: Final = FetchLimits(
            allow_private=True,
            max_redirects=0,
            max_bytes=MOST_BYTES,
            total_seconds=timeout_seconds,
            idle_seconds=timeout_seconds,
        )
        self._url: Final = _address(url, self._limits)
        self.shown: Final = without_secrets(self._url)
        self._key: Final = _key(key_variable)
        self._key_variable: Final = key_variable
        self._attempts: Final = attempts
        self._replies: Final = replies
        self.spent: Final = Spent()

    def ask(self, request: dict[str, Any], read: Callable[[dict[str, Any]], Value]) -> Value:
        """Returns what `read` makes of the reply to a request.

        Args:
            request: the body, JSON-safe.
            read: returns something JSON-safe, which may be kept; raises `ReplyError` where the
                reply holds something else, so that the request is sent again.

        Raises:
            EndpointError: the server refuses the request, or all tries failed.
            ReplyError: the last of all tries brought something else.
        """
        body = json.dumps(request, sort_keys=True).encode()
        key = hashlib.sha256(body).hexdigest()
        if self._replies is not None and (kept := self._replies.get(key)) is not None:
            value: Value = kept
            return value
        tenacity = require("tenacity", extra="select")
        tries = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=_Wait(
                tenacity.wait_exponential(0.5, MOST_WAIT_SECONDS / 2) + tenacity.wait_random(0, 0.5)
            ),
            retry=tenacity.retry_if_exception_type(_PassingError),
            sleep=paused,
            reraise=True,
        )
        try:
            value = tries(self._once, body, read)
        except _PassingError as failed:
            times = "once" if self._attempts == 1 else f"{self._attempts} times"
            raise failed.kind(
                f"endpoint {self.shown!r} was asked {times}, the last time in vain: {failed}"
            ) from failed.__cause__
        if self._replies is not None:
            self._replies.add(key, value)
        return value

    def _once(self, body: bytes, read: Callable[[dict[str, Any]], Value]) -> Value:
        """Sends a request once.

        Raises:
            _PassingError: another try may succeed.
            EndpointError: none will.
        """
        status, headers, content = self._sent(body)
        if status != 200:
            reason = self._reason(content)
            if status in PASSING:
                wait = _seconds_after(headers.get("Retry-After"))
                raise _PassingError(f"HTTP status {status}{reason}", wait_seconds=wait)
            raise EndpointError(
                f"endpoint {self.shown!r} refuses the request with HTTP status {status}{reason}; "
                f"check the address, the model's name and the key in {self._key_variable}"
            )
        try:
            reply = self._without_key(json.loads(content))
            if not isinstance(reply, dict):
                raise ReplyError("the reply is not a JSON object")
            self.spent.add(reply.get("usage"))
            return read(reply)
        except (ValueError, RecursionError) as error:
            raise _PassingError(
                f"the reply is not JSON{self._reason(content)}", kind=ReplyError
            ) from error
        except ReplyError as error:
            raise _PassingError(str(error), kind=ReplyError) from error

    def _sent(self, body: bytes) -> tuple[int, Any, bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        if is_over():
            raise EndpointError(f"endpoint {self.shown!r} is asked no more: the work has ended")
        try:
            with (
                Client(self._limits) as client,
                closing(
                    client.send(self._url, method="POST", headers=headers, body=body)
                ) as response,
            ):
                return response.status, response.headers, _content(response)
        except DownloadError as error:
            reason = str(error).removeprefix(f"{self.shown!r}").strip(": ")
            raise _PassingError(self._without_key(reason)) from error
        except ForbiddenAddressError as error:
            raise EndpointError(
                f"endpoint {self.shown!r} leads to an address that is never asked, such as a cloud "
                "metadata service; give that of the model's server"
            ) from error
        except SourceError as error:
            raise EndpointError(
                f"endpoint {self.shown!r} sends more than the {MOST_BYTES} bytes of a reply that "
                "are read; check the address"
            ) from error

    def _reason(self, content: bytes) -> str:
        """Returns a server's own words in a form for a message, without the key."""
        text = content[: 16 * LONGEST].decode(errors="replace")
        try:
            given = json.loads(content)
            error = given.get("error", given)
            text = str(error.get("message", error) if isinstance(error, dict) else error)
        except (ValueError, RecursionError, AttributeError):
            pass
        text = self._without_key(text)
        text = " ".join(printable(text).split())
        return f" ({text[:LONGEST]!r})" if text else ""

    def _without_key(self, given: Any) -> Any:
        """Returns what a server has said, as text that can be written, without the key in it.

        A key so short that it stands in ordinary words is a placeholder and stays.
        """
        if isinstance(given, str):
            text = given.encode(errors="replace").decode()  # JSON may hold halves of letters
            return text if len(self._key) < SHORTEST_KEY else text.replace(self._key, "...")
        if isinstance(given, list):
            return [self._without_key(each) for each in given]
        if isinstance(given, dict):
            return {self._without_key(name): self._without_key(of) for name, of in given.items()}
        return given


class _PassingError(Exception):
    """A try that failed for a reason that may pass."""

    def __init__(
        self, reason: str, *, wait_seconds: float = 0.0, kind: type[EndpointError] = EndpointError
    ) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        self.kind = kind


class _Wait:
    """How long to wait before another try: what the server asks for, or longer each time."""

    def __init__(self, usual: Callable[[Any], float]) -> None:
        self._usual = usual

    def __call__(self, state: Any) -> float:
        asked: float = state.outcome.exception().wait_seconds
        return min(max(self._usual(state), asked), MOST_WAIT_SECONDS)


def _address(url: object, limits: FetchLimits) -> str:
    """Returns where requests are sent to."""
    wanted = "give http(s)://HOST/v1, without a user name in it"
    if not isinstance(url, str) or not url.strip():
        raise InvalidOptionError(f"endpoint={shown(url)} is not an address; {wanted}")
    base, mark, query = url.strip().partition("?")
    base = base.rstrip("/")
    try:
        checked_link(f"{base}{mark}{query}", limits)
    except SourceError as error:
        raise InvalidOptionError(
            f"endpoint={without_secrets(base)!r} is not an address; {wanted}"
        ) from error
    path = "" if base.endswith("/chat/completions") else "/chat/completions"
    return f"{base}{path}{mark}{query}"


def _key(variable: str) -> str:
    """Returns the key in an environment variable, empty where there is none."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidOptionError(
            f"the environment variable {variable} holds what cannot be a key; set it anew"
        )
    return key


def _content(response: Response) -> bytes:
    return b"".join(response.chunks)


def _seconds_after(text: str | None) -> float:
    """Returns how long a `Retry-After` header asks to wait, 0 where it does not."""
    text = (text or "").strip()
    if text.isdecimal():
        return min(float(text[:9]), MOST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
