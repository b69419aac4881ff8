"""A message of a conversation that a chat framework hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from framesift.compression.opening import Video
from framesift.types.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Options):
    """One message of a conversation; its videos and pictures stand before its text."""

    role: Literal["user", "assistant", "system"]
    text: str = ""
    videos: tuple[Video, ...] = ()
    fps: float | None = None
    """Frames sampled per second of its videos; None for the rate of the compressor."""
