"""What is asked in a sample, without the words that the harness puts around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

WITH_OPTIONS: Final = ("mlvu",)
"""Tasks whose question goes on with its options from the second line on."""
WITHOUT_MARK: Final = ("activitynetqa",)
"""Tasks whose question lacks its question mark."""


def bare_question(task: str, doc: Mapping[str, Any], field: str = "question") -> str | None:
    """Returns the question of a sample, None where it has none.

    Selectors and strategies compare it with frames, where the options, the prompt's instructions
    and, in some tasks, subtitles would drown it.

    Args:
        task: name of the task.
        doc: the sample.
        field: where the sample holds its question.
    """
    text = str(doc.get(field) or "").strip()
    if task.startswith(WITH_OPTIONS):
        text = text.partition("\n")[0].strip()
    if text and task.startswith(WITHOUT_MARK):
        text = text.removesuffix("?") + "?"
    return text or None
