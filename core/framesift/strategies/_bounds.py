"""Checks of options that are numbers within a range."""

from __future__ import annotations

from math import inf

from framesift.errors import InvalidOptionError


def check(meaning: str, *, low: float, high: float = inf, **options: float) -> None:
    """Makes sure that every one of the named `options` lies within `[low, high]`.

    Raises:
        InvalidOptionError: with the option, its value, the range and what it means.
    """
    allowed = f"at least {low}" if high == inf else f"within [{low}, {high}]"
    for name, value in options.items():
        if not low <= value <= high:
            raise InvalidOptionError(f"{name}={value!r} must be {allowed}: {meaning}")
