"""Connections that go to judged addresses only and end when their allowance is spent.

Every read and write waits no longer than the idle limit and the time that is left in total, so a
server that sends one byte a second is ended too. Looking up a name is the one step that the
operating system times, not we.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final

import httpcore

from framesift.errors import DownloadError, VideoTooLargeError
from framesift.fetching.addresses import permitted_addresses
from framesift.fetching.limits import FetchLimits

MOST_WAIT_SECONDS: Final = 86400.0
"""Longest wait for the next bytes; sockets take no number of seconds beyond some years."""


@dataclass(slots=True, kw_only=True)
class Allowance:
    """What is left of the bytes and seconds of one fetch, over all of its requests."""

    limits: FetchLimits
    spent_bytes: int = 0
    deadline_seconds: float = field(init=False)
    """On the monotonic clock."""

    def __post_init__(self) -> None:
        self.deadline_seconds = time.monotonic() + self.limits.total_seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is spent."""
        return time.monotonic() >= self.deadline_seconds

    def wait_seconds(self) -> float:
        """Returns how long the next bytes may take.

        Raises:
            DownloadError: the time is spent.
        """
        left_seconds = self.deadline_seconds - time.monotonic()
        if left_seconds <= 0:
            raise DownloadError(self.timeout_message())
        return min(self.limits.idle_seconds, left_seconds, MOST_WAIT_SECONDS)

    def spend(self, count_bytes: int) -> None:
        """Takes `count_bytes` off.

        Raises:
            VideoTooLargeError: that many are not left.
        """
        self.spent_bytes += count_bytes
        if self.spent_bytes > self.limits.max_bytes:
            raise VideoTooLargeError(
                f"the download exceeds max_bytes={self.limits.max_bytes!r}; give a smaller video "
                "or raise the limit",
                to_caller=f"the download exceeds {self.limits.max_bytes} bytes, the most that is "
                "fetched here; give a smaller video",
            )

    def announce(self, length: int | None) -> None:
        """Refuses a body of `length` bytes before it comes, where too few are left."""
        if length is not None and self.spent_bytes + length > self.limits.max_bytes:
            raise VideoTooLargeError(
                f"the download has {length} bytes, more than max_bytes={self.limits.max_bytes!r}; "
                "give a smaller video or raise the limit",
                to_caller=f"the download has {length} bytes, and at most {self.limits.max_bytes} "
                "are fetched here; give a smaller video",
            )

    def timeout_message(self) -> str:
        """Returns what to say about a time-out: the total one or the idle one."""
        if self.is_over:
            return (
                f"the download took longer than total_seconds={self.limits.total_seconds!r}; "
                "try again, or raise the limit"
            )
        return (
            f"the server sent nothing for idle_seconds={self.limits.idle_seconds!r}; "
            "try again, or raise the limit"
        )


class JudgedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were judged, so a second look-up cannot swap them."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Returns a connection to the first of the host's addresses that answers."""
        *others, last = permitted_addresses(host, port, self._allowance.limits)
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connection(address, port)
        return self._connection(last, port)

    def _connection(self, address: str, port: int) -> TimedStream:
        wait_seconds = self._allowance.wait_seconds()
        stream = httpcore.SyncBackend().connect_tcp(address, port, wait_seconds)
        return TimedStream(stream, self._allowance)


class TimedStream(httpcore.NetworkStream):
    """A connection whose every step is timed by the allowance."""

    def __init__(self, stream: httpcore.NetworkStream, allowance: Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Returns the next bytes, none at the end."""
        return self._stream.read(max_bytes, self._allowance.wait_seconds())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends `buffer`."""
        self._stream.write(buffer, self._allowance.wait_seconds())

    def close(self) -> None:
        """Ends the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Returns this connection under TLS; `server_hostname` stays the name, not the address."""
        wait_seconds = self._allowance.wait_seconds()
        stream = self._stream.start_tls(ssl_context, server_hostname, wait_seconds)
        return TimedStream(stream, self._allowance)

    def get_extra_info(self, info: str) -> Any:
        """Returns what the connection knows about itself."""
        return self._stream.get_extra_info(info)
