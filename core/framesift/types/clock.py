"""One clock: a time reads the same in prompts, links, listings and on the report page.

Times are cut, not rounded: 59.7 s is 00:59 as on the players that links lead to, a link never
starts behind the moment that it names, and vision LLMs were trained on times that are cut.
"""

from __future__ import annotations

from typing import Final

MILLISECONDS: Final = 3
"""Decimals of a time that count: containers and results are rounded to them."""


def cut(seconds: float, decimals: int = 0) -> float:
    """Returns a time without the digits behind some decimals, at most three: 59.76 is 59.7."""
    unit = 10 ** (MILLISECONDS - decimals)
    return float(_milliseconds(seconds) // unit * unit / 10**MILLISECONDS)


def whole_seconds(seconds: float) -> int:
    """Returns the second in which a time lies, for links that take no more: 59.7 is 59."""
    return _milliseconds(seconds) // 10**MILLISECONDS


def clock(seconds: float, decimals: int = 0) -> str:
    """Returns a time as mm:ss, or h:mm:ss from one hour on: `"1:02:03"`, `"00:59.7"`."""
    whole, part = divmod(_milliseconds(seconds), 10**MILLISECONDS)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
    return f"{text}.{part:03d}"[: len(text) + 1 + decimals] if decimals else text


def span(start_seconds: float, end_seconds: float) -> str:
    """Returns a stretch of time in seconds: `"3.0-59.7 s"`."""
    return f"{cut(start_seconds, 1):.1f}-{cut(end_seconds, 1):.1f} s"


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 10**MILLISECONDS))
