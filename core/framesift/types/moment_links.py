"""Links that play a video from a moment on, each as its site reads it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from framesift.types.clock import whole_seconds

STARTS: Final[dict[str, tuple[str, ...]]] = {
    "youtube.com": ("t", "start", "time_continue"),
    "youtu.be": ("t", "start", "time_continue"),
    "youtube-nocookie.com": ("start", "t"),
    "loom.com": ("t",),
    "vimeo.com": ("t",),
    "dailymotion.com": ("start",),
    "dai.ly": ("start",),
    "ted.com": ("t",),
    "twitch.tv": ("t",),
    "facebook.com": ("t",),
    "bilibili.com": ("t",),
    "archive.org": ("start", "t"),
    "wistia.com": ("wtime",),
    "wistia.net": ("wtime",),
    "streamable.com": ("t",),
    "rumble.com": ("start", "t"),
    "drive.google.com": ("t",),
}
"""Names of the second to play from in the query of a site's links, the strongest first. On other
sites a `t` is something else, such as the mark of who shared the link."""
_FRAGMENTS: Final = {"vimeo.com": "t"}
"""Sites whose players read the second behind `#` instead."""
_WITH_UNIT: Final = frozenset(
    {"youtube.com", "youtu.be", "loom.com", "vimeo.com", "twitch.tv", "wistia.com", "wistia.net"}
)
"""Sites that write `90s`; the others write `90`."""
_LABELS: Final = 4
"""Labels of a host that are looked at, from its end."""


def listed_domain(uri: str, domains: Collection[str]) -> tuple[str | None, str]:
    """Returns which of some domains an http(s) link leads to, if to any, and the link's path."""
    if uri[:8].strip().lower()[:4] != "http":
        return None, ""
    try:
        parts = urlsplit(uri.strip())
        labels = (parts.hostname or "").rstrip(".").split(".")
    except ValueError:
        return None, ""
    if parts.scheme not in ("http", "https"):
        return None, ""
    ends = (".".join(labels[-count:]) for count in range(1, min(len(labels), _LABELS) + 1))
    return next((end for end in ends if end in domains), None), parts.path


def moment_link(uri: str, start_seconds: float, end_seconds: float) -> str:
    """Returns the address that plays a stretch: from its second on sites that read one.

    Elsewhere it ends in `#t=START,END`, which browsers read for files, and `open_video` too.
    """
    site, _ = listed_domain(uri, STARTS)
    if site is None:
        return f"{uri}#t={start_seconds:.10g},{end_seconds:.10g}"
    names, seconds = STARTS[site], f"{whole_seconds(start_seconds)}"
    seconds += "s" if site in _WITH_UNIT else ""
    address, _, query = uri.partition("#")[0].partition("?")
    pairs = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in names]
    if site in _FRAGMENTS:
        return f"{address}{_query(pairs)}#{_FRAGMENTS[site]}={seconds}"
    return f"{address}{_query([*pairs, f'{names[0]}={seconds}'])}"


def _query(pairs: list[str]) -> str:
    return f"?{'&'.join(pairs)}" if pairs else ""
