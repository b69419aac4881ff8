"""Spec strings such as `"temporal:threshold=0.9"`: how they are read, what is wrong in one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, Field
from typing import Any, Final

from framesift.errors import InvalidOptionError
from framesift.types.options import shown

MOST_LETTERS: Final = 4096
"""Longest spec string."""
MOST_LEVELS: Final = 8
"""Parts within parts that one spec string may hold."""
_depth: Final[ContextVar[int]] = ContextVar("depth", default=0)


def split_spec(text: str, separator: str) -> list[str]:
    """Returns the parts of a spec string between separators that stand outside of brackets.

    A bracket counts where it opens a value, after `=`, or lies within one that does, so that
    `"[1] talk.bin"` is an ordinary value.

    Raises:
        InvalidOptionError: a value's bracket is not closed.
    """
    _check_length(text)
    parts, start, depth, before = [], 0, 0, ""
    for place, letter in enumerate(text):
        if letter == "[" and (depth or before == "="):
            depth += 1
        elif letter == "]" and depth:
            depth -= 1
        elif letter == separator and not depth:
            parts.append(text[start:place])
            start = place + 1
        if not letter.isspace():
            before = letter
    if depth:
        raise InvalidOptionError(f"{shown(text)}: a value's '[' is not closed; end it with ']'")
    return [*parts, text[start:]]


def _check_length(spec: str) -> None:
    if len(spec) > MOST_LETTERS:
        raise InvalidOptionError(
            f"{shown(spec)} has {len(spec):,} letters; a spec string has at most {MOST_LETTERS:,}"
        )


@contextmanager
def one_deeper(spec: str) -> Iterator[None]:
    """Counts how many parts within parts are being made, each from the options of another.

    Raises:
        InvalidOptionError: they are nested too deep, or the text is too long to be a spec.
    """
    _check_length(spec)
    depth = _depth.get() + 1
    if depth > MOST_LEVELS:
        raise InvalidOptionError(
            f"{shown(spec)}: parts may be nested {MOST_LEVELS} levels deep; take some out"
        )
    token = _depth.set(depth)
    try:
        yield
    finally:
        _depth.reset(token)


def parse_options(spec: str, text: str) -> dict[str, str]:
    """Returns the options that are written behind the name in a spec string, as text.

    Raises:
        InvalidOptionError: one is not written as option=value, or a bracket is not closed.
    """
    pairs = [pair.strip() for pair in split_spec(text, ",") if pair.strip()]
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidOptionError(
                f"{shown(spec)}: {shown(pair)} must be written as option=value"
            )
        value = value.strip()
        bracketed = value.startswith("[") and value.endswith("]")
        options[key.strip()] = value[1:-1].strip() if bracketed else value
    return options


def bracketed(value: Any) -> Any:
    """Returns an option's value as it stands in a spec string."""
    nested = isinstance(value, str) and (any(mark in value for mark in ",|") or value[:1] == "[")
    return f"[{value}]" if nested else value


def unknown_part(kind: str, name: str, names: Sequence[str]) -> str:
    """Returns the line about a part that does not exist."""
    listed = ", ".join(names)
    return f"unknown {kind} {shown(name)}; {_closest(name, names)}choose one of: {listed}"


def complete(spec: str, options: Iterable[Field[Any]], given: dict[str, Any]) -> dict[str, Any]:
    """Returns what is given, once each option without a default is among it.

    Raises:
        InvalidOptionError: one is not.
    """
    for option in options:
        has_default = option.default is not MISSING or option.default_factory is not MISSING
        if not has_default and option.name not in given:
            name = spec.partition(":")[0].strip()
            raise InvalidOptionError(
                f"{shown(spec)} lacks {option.name!r}, which has no default; "
                f"write '{name}:{option.name}=...'"
            )
    return given


def unknown_option(part: str, key: str, known: Sequence[str]) -> str:
    """Returns the line about an option that a part, such as `strategy 'evs'`, does not have."""
    listed = ", ".join(known) or "none"
    return f"{part} has no option {key!r}; {_closest(key, known)}its options: {listed}"


def _closest(given: str, names: Sequence[str]) -> str:
    words = [name for name in names if given.lower() in name.replace("-", "_").split("_")]
    close = words or difflib.get_close_matches(given, names, n=1, cutoff=0.4)
    return f"did you mean {close[0]!r}? " if close else ""
