"""What recognizers of speech have in common: what they hear, and the languages there are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from framesift.decoders.sound import Samples
from framesift.errors import InvalidOptionError

_CODES: Final = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he "
    "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne "
    "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk "
    "ur uz vi yi yo yue zh"
)
LANGUAGES: Final = tuple(_CODES.split())
"""Codes of what Whisper was trained on."""
LONGEST_SECONDS: Final = 30.0
"""What every Whisper hears at once."""
LOOPING: Final = 2.4
"""Letters per compressed byte above which text repeats itself, the bound of Whisper's authors."""
UNSURE: Final = 0.37
"""Mean confidence, e to the -1, below which a stretch that may hold no speech holds none."""
SPEECHLESS: Final = 0.6
"""Probability of no speech from which that is so; both bounds are those of Whisper's authors."""


class Heard(NamedTuple):
    """A line that was heard in a stretch of sound, its times from the start of the stretch."""

    start_seconds: float
    end_seconds: float
    text: str
    confidence: float


class Recognizer(Protocol):
    """A loaded model of speech."""

    @property
    def called(self) -> str:
        """What messages call it."""

    @property
    def languages(self) -> frozenset[str]:
        """Codes of what it understands."""

    @property
    def at_once(self) -> int:
        """Stretches that go through it together."""

    def hear(
        self, stretches: Sequence[Samples], language: str | None, *, varied: bool = False
    ) -> list[list[Heard]]:
        """Returns the lines of each stretch, in time order.

        Args:
            stretches: mono, none longer than `LONGEST_SECONDS`.
            language: one of `languages`; None to find it out for each stretch.
            varied: whether no three tokens may come twice, against models that repeat themselves.
        """


def check_language(language: str | None) -> None:
    """Refuses a language that no Whisper understands.

    Raises:
        InvalidOptionError: it is not a code of one.
    """
    if language is not None and language not in LANGUAGES:
        raise InvalidOptionError(
            f"language={language!r} is not known; give a code ({', '.join(LANGUAGES)}), or None to "
            "find it out"
        )


def check_understood(recognizer: Recognizer, language: str | None) -> None:
    """Refuses a language that a loaded model does not understand.

    Raises:
        InvalidOptionError: it does not.
    """
    if language is not None and language not in recognizer.languages:
        known = ", ".join(sorted(recognizer.languages))
        raise InvalidOptionError(
            f"language={language!r} is not understood by {recognizer.called!r}, which understands "
            f"{known}; leave it out, or take another model"
        )


def heard_without_loops(
    recognizer: Recognizer, stretches: Sequence[Samples], language: str | None
) -> list[list[Heard]]:
    """Returns what `hear` does; stretches in which the model repeats itself are heard again.

    The second time nothing may be repeated. Nothing is drawn, so the same sound gives the same.
    """
    found = recognizer.hear(stretches, language)
    looping = [place for place, lines in enumerate(found) if _is_looping(lines)]
    if looping:
        again = recognizer.hear([stretches[place] for place in looping], language, varied=True)
        for place, lines in zip(looping, again, strict=True):
            found[place] = lines
    return found


def _is_looping(lines: Sequence[Heard]) -> bool:
    text = " ".join(line.text for line in lines).encode()
    return len(text) > LOOPING * len(zlib.compress(text))
