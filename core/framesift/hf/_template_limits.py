"""Limits on the steps and the text of a chat template, counted while it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

BASE_STEPS: Final = 500_000
STEPS_PER_ITEM: Final = 1_000
"""Steps that a template may take, and how many more for each item of the conversation."""
BASE_LETTERS: Final = 16 << 20
LETTERS_PER_LETTER: Final = 200
"""Letters that it may write, copy or compare, and how many more for each of the conversation."""
BASE_TEXT: Final = 1 << 18
TEXT_PER_LETTER: Final = 8
"""Letters of the text that it makes in the end, which all become tokens, and likewise."""
MOST_BITS: Final = 4096
"""Size of a whole number."""
PLAIN_FORMAT: Final = re.compile(r"(?:[^%]|%[%sdr])*")
"""Formats that only put values in."""
ESCAPED: Final = 6
"""How many letters one becomes at most when it is escaped or changes its case."""


class TemplateLimitError(Exception):
    """A template does more than any conversation needs."""


@dataclass(slots=True, kw_only=True)
class Meter:
    """How much a template may still do."""

    steps: int = BASE_STEPS
    letters: int = BASE_LETTERS
    text: int = BASE_TEXT

    @classmethod
    def of(cls, conversation: Any) -> Meter:
        """Returns what a template may do with a conversation."""
        counted = cls(steps=1 << 62, letters=1 << 62)
        counted.weigh(conversation)
        items, letters = (1 << 62) - counted.steps, (1 << 62) - counted.letters
        return cls(
            steps=BASE_STEPS + STEPS_PER_ITEM * items,
            letters=BASE_LETTERS + LETTERS_PER_LETTER * letters,
            text=BASE_TEXT + TEXT_PER_LETTER * letters,
        )

    def spend(self, steps: int, letters: int = 0) -> None:
        """Counts work, before it is done where it could be much.

        Raises:
            TemplateLimitError: it is too much.
        """
        self.steps -= steps
        self.letters -= letters
        if self.steps < 0 or self.letters < 0:
            raise TemplateLimitError("it takes more steps or writes more text than templates need")

    def weigh(self, value: Any) -> None:
        """Counts a value with all that it holds, as often as it holds it."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            self.spend(1, len(item) if isinstance(item, str) else 0)
            if isinstance(item, dict):
                waiting += [*item.keys(), *item.values()]
            elif isinstance(item, list | tuple | set | frozenset):
                self.spend(len(item))
                waiting += item
            elif isinstance(item, int) and item.bit_length() > MOST_BITS:
                raise TemplateLimitError("it counts beyond all numbers that templates need")


running: Final[ContextVar[Meter]] = ContextVar("running")
"""The meter of the template that runs now."""


def weighed(value: Any) -> Any:
    """Returns a value, counted; what is made while it is asked for is made now."""
    if isinstance(value, Iterator):
        value = collected(value)
    running.get().weigh(value)
    return value


def copied(value: Any) -> Any:
    """Returns a part of a text or a list, counted without what its items hold: they are shared."""
    size = len(value) if hasattr(value, "__len__") else 1
    running.get().spend(1 if isinstance(value, str) else 1 + size, size)
    return value


def collected(values: Iterable[Any], steps: int = 1) -> list[Any]:
    """Returns the items of an iterable, each counted."""
    meter, gathered = running.get(), []
    for value in values:
        meter.spend(steps)
        gathered.append(value)
    return gathered


def added(left: Any, right: Any) -> Any:
    """Returns `left + right`."""
    if isinstance(left, str) and isinstance(right, str):
        plain = type(left) is str and type(right) is str
        running.get().spend(1, (len(left) + len(right)) * (1 if plain else ESCAPED))
    return left + right


def times(left: Any, right: Any) -> Any:
    """Returns `left * right`."""
    for repeated, count in ((left, right), (right, left)):
        if isinstance(repeated, str | list | tuple) and isinstance(count, int):
            length = len(repeated) * max(0, count)
            is_text = isinstance(repeated, str)
            running.get().spend(1 if is_text else length, length if is_text else 0)
    return left * right


def power(left: Any, right: Any) -> Any:
    """Returns `left ** right`, of numbers."""
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and left.bit_length() * abs(right) > MOST_BITS:
        raise TemplateLimitError("it counts beyond all numbers that templates need")
    return left**right


def remainder(left: Any, right: Any) -> Any:
    """Returns `left % right`, of numbers, or of a text that values are put into."""
    if isinstance(left, str):
        if not PLAIN_FORMAT.fullmatch(left):
            raise TemplateLimitError(
                f"it formats text by {left[:40]!r}; only %s, %d and %r are run"
            )
        running.get().weigh(right)
        running.get().spend(1, len(left) * ESCAPED)
    return left % right


def replacing(text: Any, old: Any, new: Any, *_: Any) -> None:
    """Counts what `replace` makes."""
    text, old, new = str(text), str(old), str(new)
    count = text.count(old) if old else len(text) + 1
    running.get().spend(1, len(text) * 2 + count * len(new))


def searching_back(text: Any, part: Any = None, *_: Any, **named: Any) -> None:
    """Counts what a search from the end looks at: in the worst case all of `part` everywhere."""
    part = named.get("sep", part)
    running.get().spend(1, len(text) * (len(part) if isinstance(part, str) else 1))


def stripping(text: Any, letters: Any = None, *_: Any, **named: Any) -> None:
    """Counts what `strip` looks at: each letter is searched among those that go."""
    letters = named.get("chars", letters)
    running.get().spend(1, len(str(text)) * (len(letters) if isinstance(letters, str) else 1))


def joining(separator: Any, values: Any) -> None:
    """Counts what `join` makes."""
    if isinstance(values, str | list | tuple | dict):
        running.get().spend(len(values), len(str(separator)) * len(values))
        running.get().weigh(values)


def indenting(text: Any, width: Any = 4, *_: Any, **__: Any) -> None:
    """Counts what `indent` makes."""
    lines = str(text).count("\n") + 1
    running.get().spend(1, lines * (width if isinstance(width, int) else len(str(width))))


def rounding(value: Any, precision: Any = 0, *_: Any) -> None:
    """Refuses to round to more digits than numbers have."""
    if not isinstance(precision, int) or abs(precision) > 20:
        raise TemplateLimitError(f"it rounds to {str(precision)[:20]} digits; at most 20 are run")


def dumping(value: Any, *_: Any, indent: Any = None, separators: Any = None, **__: Any) -> None:
    """Refuses to write JSON with more between its items than its reader needs."""
    if not (indent is None or (isinstance(indent, int) and indent <= 8)):
        raise TemplateLimitError(f"it indents JSON by {str(indent)[:20]!r}; at most 8 are run")
    if separators is not None and any(len(str(separator)) > 8 for separator in separators):
        raise TemplateLimitError("it writes JSON with separators of more than 8 letters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of texts, lists and tables that templates may call."""

    check: Callable[..., None] | None = None
    """Counts what it makes, before it does; None where that is at most what it is given."""


METHODS: Final[dict[type, dict[str, Method]]] = {
    str: {
        **dict.fromkeys(
            [
                *("split", "splitlines", "partition"),
                *("startswith", "endswith", "removeprefix", "removesuffix"),
                *("upper", "lower", "title", "capitalize", "swapcase", "casefold"),
                *("find", "index", "count"),
                *("isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "isnumeric"),
            ],
            Method(),
        ),
        **dict.fromkeys(["rfind", "rindex", "rsplit", "rpartition"], Method(check=searching_back)),
        **dict.fromkeys(["strip", "lstrip", "rstrip"], Method(check=stripping)),
        "replace": Method(check=replacing),
        "join": Method(check=joining),
    },
    dict: dict.fromkeys(["get", "items", "keys", "values"], Method()),
    list: dict.fromkeys(["index", "count"], Method()),
    tuple: dict.fromkeys(["index", "count"], Method()),
}

FILTERS: Final[dict[str, Callable[..., None] | None]] = {
    **dict.fromkeys(
        [
            *("upper", "lower", "title", "capitalize", "string", "safe", "e", "escape"),
            *("list", "sort", "reverse", "unique", "min", "max", "map", "select", "selectattr"),
            *("reject", "rejectattr", "groupby", "items", "dictsort", "int", "float", "abs"),
            *("wordcount", "truncate"),
        ]
    ),
    "trim": stripping,
    "replace": replacing,
    "join": lambda values, separator="", *_, **__: joining(separator, values),
    "indent": indenting,
    "round": rounding,
    "tojson": dumping,
}
"""Filters that templates may use, each with what counts what it makes."""
FILTERS_AT_ONCE: Final = frozenset(["length", "count", "first", "last", "default", "d"])
TESTS_AT_ONCE: Final = frozenset(
    [
        *("defined", "undefined", "none", "boolean", "true", "false", "integer", "float"),
        *("number", "string", "mapping", "sequence", "iterable", "callable", "sameas"),
    ]
)
"""Filters and tests that take no longer for a long conversation than for a short one."""
