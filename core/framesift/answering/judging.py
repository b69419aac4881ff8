"""How a model is asked what a frame is worth for a question, and how its words are read.

The right answer of a question is never in what the model is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

FINAL: Final = "Evaluation:"
"""How the last line of a judgement begins."""
JUDGE: Final = (
    "You judge whether one frame of a video helps to answer a question about the video. First "
    "explain in one or two sentences what the frame shows and whether that helps. Then end with "
    f"one line of exactly this form:\n{FINAL} True\nif it helps, or\n{FINAL} False\nif it does not."
)
AGAIN: Final = f"Give the last line alone: {FINAL} True, or {FINAL} False."
CAPTION: Final = (
    "Describe in one concise sentence what this frame of a video shows, with any text that can be "
    "read in it."
)
CHOOSE: Final = (
    "You get a caption of each frame of a video, in the order of time, and a question about the "
    "video. Choose the frames that help most to answer it. Reply with a JSON list of their "
    "numbers and nothing else, such as [3, 17]."
)

_EVALUATION: Final = re.compile(r"evaluation[^\w\n]{0,8}:[^\w\n]{0,8}(true|false)\b", re.IGNORECASE)
_LIST: Final = re.compile(r"\[[^\[\]]*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFrames:
    """The frames that a model has named."""

    indices: tuple[int, ...]
    """Those that exist, ascending."""
    dropped: int
    """Entries that name none."""


def asked(question: str, choices: Sequence[str] = ()) -> str:
    """Returns a question as judges are shown it.

    Args:
        question: about the video.
        choices: answers to choose from, where they are to be shown.
    """
    lines = [f"Question: {question}"]
    if choices:
        lines.append("Choices: " + " | ".join(choices))
    return "\n".join(lines)


def captioned(captions: Sequence[str], question: str, choices: Sequence[str] = ()) -> str:
    """Returns the captions of all frames, numbered from 0, and the question behind them."""
    lines = [f"[{number}] {' '.join(text.split())}" for number, text in enumerate(captions)]
    return "\n".join([*lines, asked(question, choices)])


def evaluation_in(text: str) -> re.Match[str] | None:
    """Returns the last evaluation in a judgement, its group 1 the word; None where it has none."""
    found = [*_EVALUATION.finditer(text)]
    return found[-1] if found else None


def chosen_in(text: str, frames: int) -> ChosenFrames | None:
    """Returns the frames that a reply names, None where it holds no list of numbers.

    The last list counts, since models may think aloud before it. What is out of range, named twice
    or no whole number is dropped.
    """
    for found in reversed(_LIST.findall(text)):
        try:
            entries: Any = json.loads(found)
        except ValueError:
            continue
        right = {
            entry
            for entry in entries
            if isinstance(entry, int) and not isinstance(entry, bool) and 0 <= entry < frames
        }
        return ChosenFrames(indices=tuple(sorted(right)), dropped=len(entries) - len(right))
    return None
