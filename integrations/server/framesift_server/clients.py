"""The connections of one server: how many there may be, and how slow a client may be."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol

BACKLOG: Final = 128
"""Connections that the event loop accepts at once, before any of them can be refused."""
OTHER_FILES: Final = 256
"""Open files that are no connections: videos, models, the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What clients may hold of one server process."""

    seconds: float = 10.0
    """Longest time for the head of a request, and over which a client's speed is measured."""
    bytes_per_second: float = 1024.0
    """Least speed at which bodies come and answers are read."""
    connections: int = 512
    """Open at once."""
    connections_of_one_address: int = 64
    """Open at once from one IPv4 address or one /64 network of IPv6."""


class Open(Protocol):
    """A connection as its neighbours see it."""

    address: str | None
    waiting_since: float | None
    """When it began to hold a place without a whole request; None while one is under way."""


def network_of(host: str) -> str:
    """Returns whose connections count together: the address, or the /64 network of an IPv6 one."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else address.exploded[:19]
    return str(address)


class Pace:
    """Whether enough bytes pass in each stretch of time."""

    def __init__(self, bounds: Bounds, now: float) -> None:
        self._bounds = bounds
        self.restart(now)

    def restart(self, now: float) -> None:
        """Begins a new stretch."""
        self._since, self._passed = now, 0

    def add(self, count: int) -> None:
        """Notes that bytes have passed."""
        self._passed += max(0, count)

    def lags(self, now: float) -> bool:
        """Returns whether the stretch that ends now had too few bytes; begins the next one."""
        took = now - self._since
        if took < self._bounds.seconds:
            return False
        enough = self._passed >= self._bounds.bytes_per_second * took
        self.restart(now)
        return not enough


def room_for(new: Open, others: Iterable[Open], bounds: Bounds) -> Open | str | None:
    """Returns what a new connection meets: None where there is room for it.

    Args:
        new: the connection.
        others: those that are open, without it.
        bounds: how many there may be.

    Returns:
        The line by which it is refused, or the connection that makes room: the one that has held
        its place for longest without sending a whole request.
    """
    others = list(others)
    if new.address is not None:
        same = sum(other.address == new.address for other in others)
        if same >= bounds.connections_of_one_address:
            return (
                f"{same} connections of {new.address} are open, which is the most of one address; "
                "close some, or send several requests over one"
            )
    if len(others) < bounds.connections:
        return None
    idle = [other for other in others if other.waiting_since is not None]
    if idle:
        return min(idle, key=lambda other: other.waiting_since or 0.0)
    return f"{len(others)} connections are open, which is the most of this server; come again later"


def allow_open_files(connections: int) -> int:
    """Raises this process's limit of open files where it may; returns how many connections fit.

    Args:
        connections: how many there are to be.
    """
    if sys.platform == "win32":
        return connections
    import resource

    wanted = connections + BACKLOG + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == unlimited:
        return connections
    return max(1, min(connections, soft - BACKLOG - OTHER_FILES))
