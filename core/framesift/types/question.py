"""Checks that a question is text that a model can read, before any work is done."""

from __future__ import annotations

from typing import Final

from framesift.errors import InvalidOptionError
from framesift.types.options import shown

MAX_QUESTION: Final = 100_000
"""Longest question in characters; more than the context of most models holds."""


def check_question(question: str) -> None:
    """Refuses text that is not a question.

    Raises:
        InvalidOptionError: the question is empty, not text, or too long.
    """
    if not isinstance(question, str):
        raise InvalidOptionError(f"question={shown(question)} must be text; ask something")
    if len(question) > MAX_QUESTION:
        raise InvalidOptionError(
            f"the question {question[:60]!r}... has {len(question)} characters; it may have at "
            f"most {MAX_QUESTION}; ask less at once"
        )
    if not question.strip():
        raise InvalidOptionError(f"question={question!r} is empty; ask something")
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise InvalidOptionError(
            f"question={question!r} holds {question[error.start]!r}, which is not a character; "
            "pass text in UTF-8"
        ) from error
