"""Changes members of an object in its JSON; all others keep their letters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

MOST_DIGITS: Final = 4300
"""Digits of a whole number that Python reads."""


def read_json(text: str | bytes) -> Any:
    """Returns what JSON says; whole numbers of more digits than Python reads are floats.

    Raises:
        ValueError: it is none.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_int=_number)


def edited_json(text: str, came: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Returns the JSON of an object with other members.

    A member that is the same object as before keeps its letters, down to spaces, escapes and the
    digits of numbers, and a new value stands in the place of the old one.

    Args:
        text: JSON of the object.
        came: the object as `read_json` has given it.
        now: what it is to be, with values taken from `came` where they stay.
    """
    members = list(_members(text))
    made, comma = [text[: members[0].start if members else text.index("{") + 1]], ""
    for place, member in enumerate(members):
        if member.name not in now:
            continue
        if comma:
            made.append(text[members[place - 1].end : member.start])
        value, comma = now[member.name], ", "
        same = value is came[member.name]
        made.append(text[member.start : member.value])
        made.append(text[member.value : member.end] if same else json.dumps(value))
    for name in now:
        if name not in came:
            made.append(f"{comma}{json.dumps(name)}: {json.dumps(now[name])}")
            comma = ", "
    return "".join([*made, text[members[-1].end if members else text.index("{") + 1 :]])


class _Member(NamedTuple):
    """Where a member of an object stands in its JSON."""

    name: str
    start: int
    value: int
    end: int


def _members(text: str) -> Iterator[_Member]:
    """Yields the members of an object that was parsed already."""
    read = json.JSONDecoder(parse_int=_number).raw_decode
    end = text.index("{")
    if text[_past_space(text, end + 1)] == "}":
        return
    while text[end] != "}":
        start = _past_space(text, end + 1)  # the brace or a comma
        name, colon = read(text, start)
        value = _past_space(text, _past_space(text, colon) + 1)
        _, end = read(text, value)
        yield _Member(name, start, value, end)
        end = _past_space(text, end)


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < MOST_DIGITS else float(digits)


def _past_space(text: str, at: int) -> int:
    while text[at] in " \t\n\r":
        at += 1
    return at
