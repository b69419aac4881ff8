"""Text as the terms that a search compares: words and parts of words, in any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Final

from framesift.registry import require

PIECE: Final = 4
"""Letters of a part of a word: by parts, `gloves` is found in a text with `glove`."""
ACCENTS: Final = range(0x300, 0x370)
"""Marks that people leave out: `café` is found by `cafe`."""
UNSPACED: Final = (
    (0x0E00, 0x0F00),  # Thai, Lao
    (0x0F00, 0x10A0),  # Tibetan, Myanmar
    (0x1780, 0x1800),  # Khmer
    (0x1100, 0x1200),  # Hangul
    (0x3040, 0x3400),  # Hiragana, Katakana, Hangul in syllables of compatibility
    (0x3400, 0xA000),  # Han
    (0xAC00, 0xD7B0),  # Hangul
    (0xF900, 0xFB00),  # Han
    (0x20000, 0x32000),  # Han
)
"""Scripts without spaces between words, and Hangul, whose words end in particles."""
LANGUAGES: Final = (
    *("EN_PLUS", "GERMAN", "FRENCH", "SPANISH", "ITALIAN", "PORTUGUESE", "DUTCH", "RUSSIAN"),
    *("SWEDISH", "NORWEGIAN", "DANISH", "TURKISH"),
)
"""Languages whose common words are known."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, or two letters of a script without spaces."""

    text: str
    pieces: tuple[str, ...] = ()
    """Its parts of four letters; none of a shorter word."""

    @property
    def terms(self) -> tuple[str, ...]:
        """The word and its pieces, as terms that do not meet."""
        return self.text, *self.pieces


def words(text: str) -> Iterator[Word]:
    """Yields the words of a text in small letters, without accents on them."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in plain if ord(letter) not in ACCENTS)
    for kind, run in groupby(unicodedata.normalize("NFC", plain), _kind):
        letters = "".join(run)
        if kind == "unspaced":
            pairs = range(max(1, len(letters) - 1))
            yield from (Word(letters[start : start + 2]) for start in pairs)
        elif kind == "word":
            starts = range(len(letters) - PIECE + 1)
            yield Word(letters, tuple(f"~{letters[start : start + PIECE]}" for start in starts))


def telling_words(question: str) -> list[Word]:
    """Returns the words of a question, each once, without those that every text has.

    Its language is the one with most of its common words. A question of nothing else keeps all.
    """
    asked = list(dict.fromkeys(words(question)))
    texts = {word.text for word in asked}
    common = max(_common_words(), key=lambda known: len(known & texts))
    return [word for word in asked if word.text not in common] or asked


@lru_cache(maxsize=1)
def _common_words() -> tuple[frozenset[str], ...]:
    known = require("bm25s.stopwords", extra="select")
    lists = (getattr(known, f"STOPWORDS_{language}") for language in LANGUAGES)
    return tuple(frozenset(word.text for line in each for word in words(line)) for each in lists)


def _kind(letter: str) -> str:
    """Returns whether a character is of a `"word"`, of an `"unspaced"` script, or between words."""
    code = ord(letter)
    if unicodedata.category(letter)[0] not in "LMN":
        return ""
    return "unspaced" if any(low <= code < high for low, high in UNSPACED) else "word"
