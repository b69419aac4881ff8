"""The clip that a page plays: within the page, or beside it, and on which clock."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import av
from av.error import FFmpegError

from framesift.types.video import CONTAINERS, LocalVideo

MOST_BYTES: Final = 8 * 2**20
"""Largest clip that stands in the page itself, unless another limit is given."""
_MIME: Final = {"mov": "video/mp4", "matroska": "video/webm", "ogg": "video/ogg"}
"""What browsers play, by the first of libav's names for the format."""
_CODECS: Final = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "theora"})


_OPENING: Final = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipClock:
    """The clock of a file, which browsers begin at zero or at the time that the file writes."""

    zero_seconds: float = 0.0
    """Where time zero of framesift lies on the clock of the file."""
    length_seconds: float = 0.0
    """From the first to the end of the last frame; containers may count more."""
    until_seconds: float | None = None
    """End of the part that is looked at; None where that is the end of the file."""

    @classmethod
    def of(cls, local: LocalVideo, length_seconds: float) -> Self:
        """Returns the clock of an open video, of which the length was measured."""
        try:
            with _opened(local) as container:
                begin = (container.start_time or 0) / 1e6
        except FFmpegError:  # a still picture, or a stream without a container: no browser plays it
            return cls()
        until = None if local.part_seconds is None else local.part_seconds[1]
        return cls(
            zero_seconds=begin,
            length_seconds=length_seconds,
            until_seconds=None if until is None or until >= length_seconds else until,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The clip as one page has it."""

    address: str | None
    """What the page plays: a data URL, or the file relative to the page; None for nothing."""
    where: str
    """Where the clip is, or why the page does not have it, in a sentence for its reader."""
    clock: ClipClock = ClipClock()

    @property
    def policy(self) -> str:
        """The source that the policy of the page has to allow."""
        return "data:" if (self.address or "").startswith("data:") else "'self'"

    @classmethod
    def of(
        cls,
        local: LocalVideo,
        page: str | os.PathLike[str],
        *,
        length_seconds: float,
        most_bytes: int = MOST_BYTES,
    ) -> Self:
        """Returns the clip for a page: in it where it is small, else beside it.

        Args:
            local: the open video.
            page: the file that the page is written to.
            length_seconds: of the video, as it was measured.
            most_bytes: largest file that stands in the page itself; 0 for none.
        """
        path = local.path
        if path is None:
            return cls(address=None, where="There is only the text of this video.")
        mime, size = _mime(local), path.stat().st_size
        if mime is None:
            line = f"Browsers do not play this kind of file ({path.suffix}), so only its frames"
            return cls(address=None, where=f"{line} are shown.")
        if size <= most_bytes:
            data = base64.b64encode(path.read_bytes()).decode()
            return cls(
                address=f"data:{mime};base64,{data}",
                where=f"The clip is part of this page ({_megabytes(size)}).",
                clock=ClipClock.of(local, length_seconds),
            )
        if local.temporary_folder is not None or local.held is not None:
            line = f"The clip ({_megabytes(size)}) is not part of this page, which takes at most"
            return cls(address=None, where=f"{line} {_megabytes(most_bytes)}.")
        beside = os.path.relpath(path.resolve(), Path(page).resolve().parent)
        return cls(
            # As bytes, since the name of a file need not be text.
            address=quote(os.fsencode(Path(beside).as_posix())),
            where=f"The clip ({_megabytes(size)}) is the file {beside}, seen from this page; it "
            "plays as long as both stay where they are.",
            clock=ClipClock.of(local, length_seconds),
        )


def _mime(local: LocalVideo) -> str | None:
    """Returns what browsers call the kind of file; None for one that they do not play."""
    try:
        with _opened(local) as container:
            known = all(each.codec_context.name in _CODECS for each in container.streams.video)
            return _MIME.get(container.format.name.partition(",")[0]) if known else None
    except FFmpegError:
        return None


def _opened(local: LocalVideo) -> av.container.InputContainer:
    return av.open(f"file:{local.path}", options=_OPENING)


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MB"
