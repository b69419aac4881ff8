"""Lines that every surface shows in the same words: errors, and what the toy model cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from framesift.errors import FramesiftError, InvalidOptionError, MissingDependencyError
from framesift.types.options import shown
from framesift.types.text import printable
from framesift.vlms.knowledge import SYNTHETIC

if TYPE_CHECKING:
    from framesift.vlms.base import VLM

TOY: Final = "tiny"
"""The model that answers if the operator of a surface names none."""
NOTHING_FOUND: Final = "No moment matches; look for something else, or in other words."
MOST_LETTERS: Final = 1000
"""Longest error line: errors repeat what was given, which may be long."""


def error_line(error: BaseException) -> str:
    """Returns an error in one line of at most 1000 letters, in words for who called a surface."""
    said = getattr(error, "to_caller", None) or str(error)
    if isinstance(error, MissingDependencyError):
        said += "; this is for whoever runs the server"
    line = printable(" ".join(said.split()))
    return line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]}..."


def option_error(error: ValidationError) -> FramesiftError:
    """Returns the first of the errors that pydantic has found, in one line."""
    first = error.errors()[0]
    if isinstance(cause := first.get("ctx", {}).get("error"), FramesiftError):
        return cause
    name = ".".join(map(str, first["loc"])) or error.title
    if first["type"] == "missing":
        return InvalidOptionError(f"{error.title} needs {name}; give it")
    reason = first["msg"][0].lower() + first["msg"][1:]
    return InvalidOptionError(f"{name}={shown(first['input'])} is not allowed: {reason}")


def toy_limitation(instead: str) -> str:
    """Returns the line that a surface logs when it starts with the toy model.

    Nothing is loaded for it, so that a surface may log it at once.

    Args:
        instead: what to do, in the words of the surface, such as `"start it with --vlm NAME"`.
    """
    return f"{TOY!r} was trained on {SYNTHETIC} videos only; {instead}"


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
