"""What every surface says in the same words."""

from __future__ import annotations

from typing import Final

from framesift.errors import InvalidOptionError
from framesift.types.text import printable
from framesift.vlms.base import VLM
from framesift.vlms.load import limitation_of

TOY: Final = "tiny"
"""The model that answers where the operator of a surface names none."""
NOTHING_FOUND: Final = "No moment matches; look for something else, or in other words."
MOST_LETTERS: Final = 1000
"""Of an error in one line: it repeats what was given, which may be long."""


def error_line(error: BaseException) -> str:
    """Returns an error in one line of at most 1000 letters that any terminal may show."""
    line = printable(" ".join(str(error).split()))
    return line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]}..."


def toy_limitation(instead: str) -> str | None:
    """Returns what the toy cannot answer about, for the log when a surface starts with it.

    Args:
        instead: what to do, in the words of the surface, such as `"start it with --vlm NAME"`.
    """
    return limitation_of(TOY, instead=instead)


def check_knowledge(vlm: VLM, address: str, instead: str) -> None:
    """Refuses a video that a model was not trained on.

    Args:
        vlm: the model that is to answer.
        address: of the video.
        instead: what to do, in the words of the surface.

    Raises:
        InvalidOptionError: what the model says of the video would mean nothing.
    """
    if line := vlm.limitation([address], instead=instead):
        raise InvalidOptionError(line)
