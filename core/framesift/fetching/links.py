"""Reads http(s) links strictly, and shows them without their secrets.

All URLs of strangers are parsed here, so whatever a parser raises becomes one kind of error. Every
look at a link takes time in proportion to its length, and the length has a limit.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import httpcore

from framesift.errors import ForbiddenAddressError, UnsupportedSourceError
from framesift.fetching.limits import MAX_ADDRESS, FetchLimits

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL_CHARACTERS: Final = "/?:@!$&'()*+,;=%~-._[]"
_USERINFO: Final = re.compile(r"^([A-Za-z][\w+.-]*:)?[/\\]{2}[^/?#]*@")
_SECRET_WORDS: Final = ("auth", "credential", "passw", "secret", "signature", "token")
_SECRET_KEYS: Final = frozenset(
    {"api_key", "apikey", "key", "key-pair-id", "policy", "pwd", "sig", "x-amz-credential"}
)
_PAIRS: Final = re.compile(r"([?&])")


def without_secrets(uri: str) -> str:
    """Returns `uri` for messages and reports: no user, password, signature, token or fragment."""
    bare = uri.strip()[:MAX_ADDRESS].partition("#")[0]
    bare = _USERINFO.sub(lambda match: f"{match[1] or ''}//", bare)
    head, *pieces = _PAIRS.split(bare)
    shown = [head]
    for mark, pair in zip(pieces[::2], pieces[1::2], strict=True):
        key, equals, value = pair.partition("=")
        shown.append(f"{mark}{key}{equals}{'...' if value and _is_secret(key) else value}")
    return "".join(shown)


def split_link(uri: str) -> SplitResult:
    """Returns the parts of a URL.

    Raises:
        UnsupportedSourceError: it cannot be parsed, or is longer than any that is used.
    """
    if len(uri) > MAX_ADDRESS:
        raise UnsupportedSourceError(
            f"{uri[:80]!r}... is a link of {len(uri)} characters; at most {MAX_ADDRESS} are read; "
            "give the link of the video itself"
        )
    try:
        parts = urlsplit(uri.strip())
        _ = parts.hostname, parts.port
    except ValueError as error:
        shown = without_secrets(uri)[:200]
        raise UnsupportedSourceError(
            f"{shown!r} is not a valid link: {error}; give http(s)://HOST/PATH"
        ) from error
    return parts


def redirected(uri: str, location: str) -> str:
    """Returns where a redirect from `uri` leads.

    Raises:
        UnsupportedSourceError: its target cannot be parsed.
    """
    split_link(location)
    try:
        return urljoin(uri, location)
    except ValueError as error:
        raise UnsupportedSourceError(
            f"{without_secrets(uri)[:200]!r} redirects to {location[:80]!r}, which is not a valid "
            "link; give the link of the video itself"
        ) from error


def checked_link(uri: str, limits: FetchLimits) -> httpcore.URL:
    """Returns the parts of a link that `limits` permit, ready to be requested.

    Raises:
        UnsupportedSourceError: the link is not valid.
        ForbiddenAddressError: the scheme, the port or a user name in it is out of bounds.
    """
    parts = split_link(uri)
    shown = without_secrets(uri)
    host, port = _ascii_host(parts, shown), parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
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
        line = (
            f"{shown!r} asks for port {port}; only {', '.join(map(str, limits.ports))} are fetched"
        )
        raise ForbiddenAddressError(
            f"{line}; add it to FetchLimits(ports=...) if you trust the link",
            to_caller=f"{line}; give a link to one of these",
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(
        scheme=parts.scheme,
        host=host,
        port=port,
        target=quote(target, safe=_URL_CHARACTERS),
    )


def _ascii_host(parts: SplitResult, shown: str) -> str:
    try:
        return (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:
        raise UnsupportedSourceError(
            f"{shown!r} is not a valid link: its host is not a name that can be looked up; check "
            "its spelling"
        ) from error


def _is_secret(key: str) -> bool:
    plain = unquote(key).lower()
    return plain in _SECRET_KEYS or any(word in plain for word in _SECRET_WORDS)
