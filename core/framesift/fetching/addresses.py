"""Which network addresses a link may lead to: the one place that decides it.

Every address that a name resolves to is judged, and the connection goes to a judged address, so
neither a second look-up nor an odd spelling of an address (decimal, octal, IPv6 around IPv4) leads
elsewhere.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from framesift.errors import DownloadError, ForbiddenAddressError
from framesift.fetching.limits import FetchLimits

METADATA_NAMES: Final = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    }
)
METADATA: Final = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # AWS, Azure, GCP and most others, inside of link-local
            "100.100.100.200/32",  # Alibaba
            "168.63.129.16/32",  # Azure, a public address
            "192.0.0.192/32",  # Oracle
            "fd00:ec2::/32",  # AWS
            "fd20:ce::254/128",  # GCP
            "fd00:42::42/128",  # Scaleway
        ),
    )
)
NOT_PUBLIC: Final = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Ranges that older versions of Python take for public ones."""
THIS_NETWORK: Final = ip_network("0.0.0.0/8")
NAT64: Final = ip_network("64:ff9b::/96")


def permitted_addresses(host: str, port: int, limits: FetchLimits) -> list[str]:
    """Returns the addresses of `host`, all of which may be connected to.

    Raises:
        DownloadError: the name does not resolve.
        ForbiddenAddressError: at least one of the addresses is out of bounds.
    """
    if host.lower().rstrip(".") in METADATA_NAMES:
        raise _forbidden(host, "a cloud metadata service")
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DownloadError(
            f"host {host[:80]!r} was not found; a link needs a host that resolves; check "
            "the spelling and the connection"
        ) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in resolved))
    for address in addresses:
        if kind := never_permitted(address):
            raise _forbidden(host, kind)
        if not limits.allow_private and not is_public(address):
            raise _forbidden(host, "a private address", may_allow=True)
    return addresses


def never_permitted(address: str) -> str | None:
    """Returns what `address` is where no setting permits it, else None."""
    for ip in _targets(address):
        if any(ip in network for network in METADATA):
            return "a link-local or cloud metadata address"
        if ip.is_loopback:
            continue
        if (
            ip.is_multicast
            or ip.is_unspecified
            or ip.is_link_local
            or ip.is_reserved
            or ip in THIS_NETWORK
            or (isinstance(ip, IPv6Address) and ip.is_site_local)
        ):
            return "an address that no video can be at"
    return None


def is_public(address: str) -> bool:
    """Returns whether `address`, and each IPv4 address inside of it, is on the public internet."""
    return all(
        ip.is_global and not any(ip in network for network in NOT_PUBLIC)
        for ip in _targets(address)
    )


def _targets(address: str) -> tuple[IPv4Address | IPv6Address, ...]:
    """Returns where packets to `address` end: the IPv4 addresses it wraps, else itself."""
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return (ip,)
    if ip.ipv4_mapped:
        return (ip.ipv4_mapped,)
    if ip.sixtofour:
        return (ip.sixtofour,)
    if ip.teredo:
        return ip.teredo
    if ip in NAT64:
        return (IPv4Address(int(ip) & 0xFFFFFFFF),)
    return (ip,)


def _forbidden(host: str, kind: str, *, may_allow: bool = False) -> ForbiddenAddressError:
    line = f"host {host!r} leads to {kind}; only public addresses are fetched"
    remedy = "or set FetchLimits(allow_private=True) for hosts you trust" if may_allow else ""
    return ForbiddenAddressError(
        f"{line}; download the video yourself and give the file {remedy}".rstrip(),
        to_caller=f"{line}; give a public link",
    )
