"""Whether two texts that were read off pictures are one, of which some letters were misread."""

from __future__ import annotations

import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

LEAST_ALIKE: Final = 0.85
"""Share of letters that two readings of one line have in common at least."""
LEAST_FAINT: Final = 0.5
"""Share of letters that what was hardly read has in common with what stands there."""
MOST_MISREAD: Final = 0.1
"""Share of letters that may be misread beyond the first; where more differ, it is another text."""
_MISREAD: Final = str.maketrans({"o": "0", "l": "1", "i": "1", "|": "1"})
"""Letters that are taken for digits, and digits for letters."""
LEAST_TYPED: Final = 3
"""Letters with which a line that is being typed begins to be known by them."""
MOST_COMPARED: Final = 32
"""Texts that are compared letter by letter with one, of those that share an end with it."""
_BEGINNING: Final = 6
"""Letters at either end of a text by which one that is like it is looked up."""


@lru_cache(maxsize=4096)
def letters(text: str) -> str:
    """Returns what readings of one text agree in: letters and digits alone, without case.

    A text without any, such as an arrow, is returned as it is.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(letter for letter in plain if letter.isalnum() or letter == "|")
    return kept.translate(_MISREAD) or "".join(plain.split())


def alike(one: str, other: str, least: float = LEAST_ALIKE) -> float:
    """Returns how like two texts are in [0, 1]; 0 where they cannot be readings of one line.

    A digit in place of another makes another text: pages, prices and times differ in little else.

    Args:
        one: a text.
        other: another one.
        least: share of their letters that they must have in common.
    """
    first, second = letters(one), letters(other)
    if first == second:
        return 1.0
    if min(len(first), len(second)) <= LEAST_TYPED:
        return 0.0
    others = _digits(one) != _digits(other)
    if others and _digits(first) != _digits(second):
        return 0.0
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    if min(matcher.real_quick_ratio(), matcher.quick_ratio()) < least:
        return 0.0
    differences = _differences(matcher, first, second)
    if others and any(_digits("".join(each)) for each in differences):
        return 0.0
    misread = sum(max(map(len, each)) for each in differences)
    ratio = matcher.ratio()
    few = max(1.0, MOST_MISREAD * max(len(first), len(second)))
    return ratio if ratio >= least and misread <= few else 0.0


def faintly_alike(one: str, other: str) -> float:
    """Returns how like two texts are, of which one may be half cut off; 0 for two texts."""
    first, second = letters(one), letters(other)
    ratio = SequenceMatcher(None, first, second, autojunk=False).ratio()
    return ratio if ratio >= LEAST_FAINT else 0.0


def differ_in_numbers(one: str, other: str) -> bool:
    """Returns whether two texts are one but for the numbers in them, as a clock's are."""
    first, second = (_without_digits(text) for text in (one, other))
    return first == second and any(letter.isdigit() for letter in one)


def grown(shorter: str, longer: str) -> bool:
    """Returns whether a text can be another one to which something was added at its end."""
    first, second = letters(shorter), letters(longer)
    if not LEAST_TYPED <= len(first) < len(second):
        return False
    beginning = second[: len(first)]
    if first == beginning or _digits(first) != _digits(beginning):
        return first == beginning
    # The last letter of what is being typed is often half drawn, or a cursor.
    return SequenceMatcher(None, first, beginning, autojunk=False).ratio() >= LEAST_ALIKE


def holds(text: str, part: str) -> bool:
    """Returns whether a text has another one in it, as far as readings agree."""
    whole, piece = letters(text), letters(part)
    if piece in whole:
        return True
    if len(piece) <= LEAST_TYPED or _digits(part) not in _digits(text):
        return False
    matched = SequenceMatcher(None, whole, piece, autojunk=False).get_matching_blocks()
    return sum(block.size for block in matched) >= LEAST_ALIKE * len(piece)


def ends(text: str) -> tuple[str, str, str]:
    """Returns all letters, the first and the last ones: texts that are alike mostly share one."""
    whole = letters(text)
    return f"-{whole}-", f"{whole[:_BEGINNING]}-", f"-{whole[-_BEGINNING:]}"


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


def _without_digits(text: str) -> str:
    return "".join("0" if letter.isdigit() else letter for letter in text.casefold())


def _differences(matcher: SequenceMatcher[str], first: str, second: str) -> list[tuple[str, str]]:
    """Returns what stands in one text in place of what stands in the other."""
    return [
        (first[a:b], second[c:d]) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"
    ]
