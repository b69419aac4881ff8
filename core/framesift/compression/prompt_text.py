"""Whose lines stand in prompts beside the pictures, and how many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from framesift.answering.text_beside import MAX_TEXT_TOKENS
from framesift.readers.base import Reader, created_readers
from framesift.scorers.text_search import TextMatch, text_matches
from framesift.types.options import whole
from framesift.types.video import TimedText

NEAREST: Final = 8
"""Stretches of a video whose text is like a question, of which lines are taken first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """Readers whose lines go into prompts, and the tokens that these may take."""

    readers: tuple[Reader, ...] = ()
    max_tokens: int = MAX_TEXT_TOKENS

    @classmethod
    def of(cls, text: str | Reader | Sequence[str | Reader] | None, max_text_tokens: int) -> Self:
        """Returns what options name; None names no reader.

        Raises:
            SpecError: a name or an option does not exist.
            InvalidOptionError: `max_text_tokens` is below 1, or a reader is named twice.
        """
        tokens = whole("max_text_tokens", max_text_tokens, "token")
        return cls(readers=() if text is None else created_readers(text), max_tokens=tokens)


NO_TEXT: Final = PromptText()


def nearest(lines: Sequence[TimedText], question: str) -> list[TextMatch]:
    """Returns the stretches of a video whose text has most of a question, be it one word of it."""
    return text_matches(lines, question, NEAREST, least_words=0.0)
