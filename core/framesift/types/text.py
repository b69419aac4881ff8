"""Makes text from files and strangers safe to show: control characters and long addresses."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Final

_ESCAPED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls, halves of characters, and what ends lines and paragraphs."""
_BIDIRECTIONAL: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Marks that change the order in which the rest of a line is shown."""


_HALVES: Final = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def whole_characters(text: str) -> str:
    """Returns text with each half of a character as an unknown one, so that it can be encoded.

    Command lines, names of files and JSON may hold halves, which neither UTF-8 nor tokenizers take.
    """
    return text.translate(_HALVES)


def printable(text: str, *, several_lines: bool = False) -> str:
    r"""Returns text with its control characters written out, so that a terminal only shows them.

    So an ANSI escape becomes `\x1b`, an override of the direction `\u202e`, a line feed `\n`.

    Args:
        text: a title, a reason, a file name, an answer.
        several_lines: whether line feeds and tabs stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" if several_lines else ""
    return "".join(
        letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        if letter not in kept and _is_escaped(letter)
        else letter
        for letter in text
    )


def file_address(path: os.PathLike[str]) -> str:
    """Returns a path as an address that files, responses and databases take, and that opens it.

    That is the path itself, or a file:// URI where its name is not UTF-8, holds control characters
    such as a line feed, or ends in what an address of a part of a video ends in.
    """
    text = os.fspath(path)
    if text == printable(text) and "#t=" not in text:
        return text
    return Path(text).absolute().as_uri()


def shown_address(address: str) -> str:
    """Returns a path or a link as a message names it: a long one without its middle."""
    return address if len(address) <= 80 else f"{address[:38]}...{address[-39:]}"


def _is_escaped(letter: str) -> bool:
    return letter in _BIDIRECTIONAL or unicodedata.category(letter) in _ESCAPED
