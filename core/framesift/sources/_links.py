"""Reads http(s) links strictly, and shows them without their secrets."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

import httpcore

from framesift.errors import ForbiddenAddressError, UnsupportedSourceError
from framesift.sources.base import FetchLimits

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL_CHARACTERS: Final = "/?:@!$&'()*+,;=%~-._[]"
_USERINFO: Final = re.compile(r"^([A-Za-z][\w+.-]*:)?[/\\]{2}[^/?#]*@")
_SECRET: Final = re.compile(
    r"(?i)([?&](?:[\w.-]*(?:auth|credential|passw|secret|signature|token)[\w.-]*"
    r"|api_?key|key|key-pair-id|policy|sig)=)[^&#]*"
)


def is_link(uri: str) -> bool:
    """Returns whether `uri` is an http(s) link."""
    return uri.lower().startswith(("http://", "https://"))


def without_secrets(uri: str) -> str:
    """Returns `uri` for messages and reports: no user, password, signature, token or fragment."""
    bare = _USERINFO.sub(lambda found: f"{found[1] or ''}//", uri.strip())
    return _SECRET.sub(r"\1...", bare.partition("#")[0])


def checked_link(uri: str, limits: FetchLimits) -> httpcore.URL:
    """Returns the parts of a link that `limits` permit, ready to be requested.

    Raises:
        UnsupportedSourceError: this is no valid link.
        ForbiddenAddressError: the scheme, the port or a user name in it is out of bounds.
    """
    shown = without_secrets(uri)
    try:
        parts = urlsplit(uri.strip())
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise UnsupportedSourceError(f"{shown!r} is not a valid link: {error}") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise ForbiddenAddressError(
            f"{shown!r} has the scheme {parts.scheme!r}; only http and https are fetched; "
            "give an http(s):// link"
        )
    if not host or "\\" in uri or not uri.strip().isprintable():
        raise UnsupportedSourceError(f"{shown!r} is not a valid link; give http(s)://HOST/PATH")
    if "@" in parts.netloc:
        raise ForbiddenAddressError(
            f"{shown!r} was given with a user name or password; links must carry none; remove it"
        )
    if not limits.allow_private and port not in limits.ports:
        raise ForbiddenAddressError(
            f"{shown!r} asks for port {port}; only {', '.join(map(str, limits.ports))} are "
            "fetched; add it to FetchLimits(ports=...) if you trust the link"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(
        scheme=parts.scheme,
        host=host,
        port=port,
        target=quote(target, safe=_URL_CHARACTERS),
    )
