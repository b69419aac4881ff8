"""Whether a question is about a whole video, or about something that shows in a part of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from framesift.selectors import _question_words as words

MOST_LETTERS: Final = 2000
"""Letters of a question that are read."""
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_SAME: Final = {0x131: "i", 0x2019: "'"}
"""The dotless i of Turkish, whose capital is a plain one, and the curved apostrophe."""
_QUOTED: Final = re.compile(
    '"[^"]{0,99}"|“[^”]{0,99}”|«[^»]{0,99}»|„[^“”]{0,99}[“”]|「[^」]{0,99}」|『[^』]{0,99}』'
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question is about."""

    scope: Literal["global", "local"]
    reason: str
    """The words that decided, for a reader."""


def scope_of(question: str) -> Scope:
    """Returns whether a question asks about all of a video: a summary, a count, an order, a theme.

    It reads words of fifteen languages. What stands in quotation marks is what the question asks
    about, not how it asks. A question that names a place, such as "on the slide", is local, unless
    it also names the whole. Without any such word it is local.
    """
    text = _plain(_QUOTED.sub(" ", question[:MOST_LETTERS]))
    whole, asked = _WHOLE.search(text), _GLOBAL.search(text)
    found, place = whole or asked, None if whole else _PLACE.search(text)
    if found is None:
        return Scope("local", "nothing in it asks about all of the video")
    if place is not None:
        return Scope("local", f"{place[0].strip()!r} names a part of the video")
    return Scope("global", f"{found[0].strip()!r} asks about all of the video")


def _plain(text: str) -> str:
    """Returns text without case, accents and repeated spaces."""
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    joined = unicodedata.normalize("NFC", _ACCENTS.sub("", apart))
    return " ".join(joined.translate(_SAME).split())


def _words(spaced: Mapping[str, str], joined: Mapping[str, str]) -> str:
    """Returns the pattern of the words of all languages, as `_plain` writes text."""
    found = "|".join([f"(?<!\\w)(?:{'|'.join(spaced.values())})", *joined.values()])
    apart = unicodedata.normalize("NFD", found)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart)).translate(_SAME)


_WHOLE: Final = re.compile(_words(words.WHOLE, {}))
_GLOBAL: Final = re.compile(_words(words.GLOBAL, words.GLOBAL_WITHOUT_SPACES))
_PLACE: Final = re.compile(_words(words.PLACE, words.PLACE_WITHOUT_SPACES))
