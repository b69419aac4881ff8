"""Reads the subtitles that lie beside a video or that its page has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.readers.base import Readable, Reader, Reading


@dataclass(frozen=True, kw_only=True)
class Subtitles(Reader):
    """Subtitles by people where there are any, else the automatic captions of the page."""

    summary: ClassVar[str] = "subtitles beside the file, or of the page"
    is_costly: ClassVar[bool] = False

    def read(self, video: Readable) -> Reading:
        """Returns the lines that came with the video; nothing is decoded."""
        return Reading(lines=video.local.subtitles)
