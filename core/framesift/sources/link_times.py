"""Reads the times that links carry: `#t=10,20`, `?t=1m30s`, `&start=90`.

Text that is not a time stands for the whole video, as on the sites themselves. Only the end of an
address is looked at, so a data: URI of any size is as quick as a short link.
"""

from __future__ import annotations

import math
import re
from typing import Final

from framesift.errors import InvalidOptionError

MAX_FRAGMENT: Final = 800
"""Longest temporal fragment, in characters; the longest finite number has 310 digits."""
_UNITS: Final = re.compile(
    r"(?:(?P<h>[0-9]{1,6})h)?(?:(?P<m>[0-9]{1,6})m)?(?:(?P<s>[0-9]{1,320}(?:\.[0-9]{0,330})?)s?)?"
)
_NUMBER: Final = re.compile(r"[0-9]{1,320}(?:\.[0-9]{0,330})?")
_CLOCK: Final = re.compile(
    r"(?:(?P<h>[0-9]{1,6}):)?(?P<m>[0-5]?[0-9]):(?P<s>[0-5][0-9](?:\.[0-9]{0,9})?)"
)

Part = tuple[float, float]


def seconds_of(text: str) -> float | None:
    """Returns the seconds of `90`, `90.5s`, `1m30s`, `1h2m3s`, `1:30` or `0:01:30`, else None."""
    match = _UNITS.fullmatch(text.lower()) or _CLOCK.fullmatch(text)
    if not text or match is None:
        return None
    hours, minutes, seconds = (float(match[unit] or 0) for unit in "hms")
    return hours * 3600 + minutes * 60 + seconds


def _plain_seconds(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def split_part(uri: str) -> tuple[str, Part | None]:
    """Returns the address without its temporal fragment, and the part that this one means.

    `framesift.types.video.with_part` joins them again.

    Raises:
        InvalidOptionError: the part holds nothing.
    """
    place = uri.rfind("#", max(0, len(uri) - MAX_FRAGMENT))
    fragment = uri[place + 1 :] if place >= 0 else ""
    read = _plain_seconds  # a file may have any name, so nothing but the standard's form is a part
    if "://" in uri[:20]:
        read = seconds_of
        pairs = fragment.split("&")
        fragment = next((pair for pair in pairs if pair[:2].lower() == "t="), "")
    if fragment[:2].lower() != "t=":
        return uri, None
    start, _, end = fragment[2:].removeprefix("npt:").partition(",")
    begin = read(start) if start else 0.0
    until = read(end) if end else math.inf
    if begin is None or until is None or not (start or end):
        return uri, None
    if begin >= until:
        raise InvalidOptionError(
            f"'#{fragment[:80]}' leaves nothing of the video; give the seconds as #t=START,END "
            "with START below END"
        )
    return uri[:place], (begin, until)
