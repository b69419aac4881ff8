"""Text from files and strangers, as it may stand on a terminal or in a log."""

from __future__ import annotations

import unicodedata
from typing import Final

_ESCAPED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls, halves of characters, and what ends lines and paragraphs."""
_BIDIRECTIONAL: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Marks that change the order in which the rest of a line is shown."""


def printable(text: str, *, several_lines: bool = False) -> str:
    r"""Returns text without power over what shows it: control characters are written out.

    So an ANSI escape becomes `\x1b`, an override of the direction `\u202e`, a line feed `\n`.

    Args:
        text: a title, a reason, a file name, an answer.
        several_lines: whether line feeds and tabs stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" if several_lines else ""
    return "".join(
        letter if letter in kept or not _is_escaped(letter) else _written(letter) for letter in text
    )


def shown_address(address: str, letters: int = 80) -> str:
    """Returns an address as a message names it: a long one without its middle.

    Args:
        address: a path or a link.
        letters: the most that are shown.
    """
    if len(address) <= letters:
        return address
    first = letters // 2 - 2
    return f"{address[:first]}...{address[first + 3 - letters :]}"


def _is_escaped(letter: str) -> bool:
    return letter in _BIDIRECTIONAL or unicodedata.category(letter) in _ESCAPED


def _written(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
