"""A message of a conversation that a chat framework hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from framesift.compression.opening import Video
from framesift.errors import InvalidOptionError
from framesift.types.options import Options
from framesift.types.question import check_question


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Options):
    """One message of a conversation; its videos and pictures stand before its text."""

    role: Literal["user", "assistant", "system"]
    text: str = ""
    videos: tuple[Video, ...] = ()
    fps: float | None = None
    """Frames sampled per second of its videos; None for the rate of the compressor."""


def grouped(messages: Sequence[Message]) -> list[list[Message]]:
    """Returns the messages of a conversation, those of one role in a row together.

    Raises:
        InvalidOptionError: there is no message, or text is not valid Unicode.
    """
    if not messages:
        raise InvalidOptionError("there is no message to answer; give at least one")
    for message in messages:
        if message.text.strip():
            check_question(message.text)
    return [list(run) for _, run in groupby(messages, key=lambda message: message.role)]


def text_of(messages: Sequence[Message]) -> str:
    """Returns what messages of one role say together."""
    return "\n".join(message.text for message in messages if message.text)
