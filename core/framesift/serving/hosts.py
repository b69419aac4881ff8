"""Names by which a server is reached, so that pages of strangers cannot use it through a browser.

A page in a browser may have a name of its own resolve to the machine of the server, whose answers
it could then read as its own (DNS rebinding). Its name gives it away.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
EVERY: Final = ("0.0.0.0", "[::]", "")
"""What stands for all addresses of a machine, and names none."""
ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHosts:
    """Whose requests a server answers: those addressed to it by a name that it has."""

    names: tuple[str, ...]
    any_address: bool = False
    """Whether an IP address is a name that it has; no name of a stranger ever is one."""
    any_name: bool = False

    @classmethod
    def of(cls, listens_at: str, allowed: Sequence[str] = ()) -> KnownHosts:
        """Returns the names of a server.

        Args:
            listens_at: the address that it listens at. One that only this machine reaches has the
                names of loopback alone; any other also has each IP address and the machine's name.
            allowed: further names, `*` for all; their ports are left out.
        """
        at = _bracketed(listens_at)
        local = at in LOOPBACK
        own = () if local else (socket.gethostname(), *(() if at in EVERY else (at,)))
        further = tuple(_name(name) for name in allowed if name != ANY)
        names = dict.fromkeys(name.lower() for name in (*LOOPBACK, *own, *further))
        return cls(names=tuple(names), any_address=not local, any_name=ANY in allowed)

    def refusal(self, host: str | None, origin: str | None) -> tuple[int, str] | None:
        """Returns the status and the line of a request that is refused, None for any other.

        Args:
            host: its header `Host`.
            origin: its header `Origin`, by which a browser tells whose page sends it.
        """
        if not host:
            return 421, "the request has no Host header; name the server by it"
        if not self._knows(_name(host)):
            return 421, (
                f"this server is not known as {host[:100]!r}; use one of: {', '.join(self.names)}, "
                f"or start it with --allow-host {_name(host)[:100]}"
            )
        if origin is None:
            return None
        own = urlsplit(origin).netloc if "://" in origin else ""
        if own and (own.lower() == host.lower() or _name(own) in self.names):
            return None
        return 403, (
            f"pages of {origin[:100]!r} may not use this server; if they are yours, start it with "
            f"--allow-host {(_name(own) or 'NAME')[:100]}"
        )

    def _knows(self, name: str) -> bool:
        return self.any_name or name in self.names or (self.any_address and _is_address(name))


def _name(host: str) -> str:
    """Returns the name of `NAME:PORT`, in lower case."""
    host = host.strip().lower()
    name, colon, port = host.rpartition(":")
    if colon and (port.isdecimal() or not port) and (name[:1] == "[") == (name[-1:] == "]"):
        host = name
    return host.removesuffix(".")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address and address[:1] != "[" else address


def _is_address(name: str) -> bool:
    """Returns whether a name is an IP address, and not the one that stands for all of them."""
    try:
        return not ip_address(name.strip("[]")).is_unspecified
    except ValueError:
        return False
