"""Where a video is on this machine, and what its source and container say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from math import isinf
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from framesift.disk import temporary
from framesift.types.text import file_address, whole_characters

Region = tuple[float, float, float, float]
"""Part `(x0, y0, x1, y1)` of a picture, relative to its size."""
WHOLE: Final[Region] = (0.0, 0.0, 1.0, 1.0)
MAX_DESCRIPTION: Final = 2000
"""Letters of a description that are kept: it stands in each segment's metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedText:
    """A span of text: what is said, stands on the screen, or titles a part of the video."""

    start_seconds: float
    end_seconds: float
    text: str
    source: str = "subtitles"
    """Name of the reader that found it."""
    box: Region | None = None
    """Where on the picture it stands, at its start; None where that is not known."""
    speaker: str | None = None
    confidence: float | None = None
    """How sure the reader is, in [0, 1]; None where it does not say."""
    again_seconds: tuple[tuple[float, float], ...] = ()
    """Start and end of each later stretch in which the same line stands again."""

    def __post_init__(self) -> None:
        # Captions of pages may hold halves of characters, which no file and no response takes.
        object.__setattr__(self, "text", whole_characters(self.text))
        if self.speaker is not None:
            object.__setattr__(self, "speaker", whole_characters(self.speaker))

    @property
    def stretches(self) -> tuple[tuple[float, float], ...]:
        """Start and end of each stretch in which it stands, in time order."""
        return (self.start_seconds, self.end_seconds), *self.again_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalVideo:
    """A video file on this machine; a `with` block removes its temporary folder at the end."""

    path: Path | None
    """The file to decode, or None for the text alone."""
    uri: str
    """The address that the user gave, without credentials."""
    title: str | None = None
    uploader: str | None = None
    """Who published it, as the source says."""
    date: str | None = None
    """Day on which it was published or recorded, as YYYY-MM-DD."""
    description: str | None = None
    """What its publisher says of it, of at most `MAX_DESCRIPTION` letters."""
    duration_seconds: float | None = None
    """As the source claims it; `VideoInfo` has the measured one."""
    chapters: tuple[TimedText, ...] = ()
    subtitles: tuple[TimedText, ...] = ()
    """Subtitles by people where there are any, else automatic captions."""
    part_seconds: tuple[float, float] | None = None
    """Start and end of the part, the end may be infinite; None for all of it."""
    truth: dict[str, Any] = field(default_factory=dict)
    """JSON-safe ground truth of a synthetic video, empty for all others."""
    warnings: tuple[str, ...] = ()
    """What went wrong on the way without ending it; each run over the video repeats it."""
    temporary_folder: Path | None = None
    """A folder of our own that holds `path` and goes with this object."""
    held: BinaryIO | None = field(default=None, repr=False, compare=False)
    """The file itself, open as long as this object is, where `path` leads to it by no name."""

    def __post_init__(self) -> None:
        given: Any = self.path
        if isinstance(given, str):
            object.__setattr__(self, "path", Path(given))
        for name in ("title", "uploader", "date", "description"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole_characters(text))
        if self.uri != whole_characters(self.uri):  # the path of a file whose name is not UTF-8
            object.__setattr__(self, "uri", file_address(Path(self.uri)))
        if self.path is not None and not self.path.is_file():
            raise ValueError(f"path must be a file, got {str(self.path)!r}")

    @property
    def address(self) -> str:
        """`uri`, ending in `#t=START,END` for a part: two parts are two videos."""
        return with_part(self.uri, self.part_seconds)

    def close(self) -> None:
        """Removes the temporary folder and closes what is held open; safe to call twice."""
        if self.temporary_folder is not None:
            temporary.remove(self.temporary_folder)
        if self.held is not None:
            self.held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def with_part(address: str, part_seconds: tuple[float, float] | None) -> str:
    """Returns the address that means a part of a video, in the one way it is spelled here.

    Args:
        address: of the whole video.
        part_seconds: start and end, the end may be infinite; None for all of it.
    """
    if part_seconds is None:
        return address
    start, end = map(_digits, part_seconds)
    return f"{address}#t={start}" + (f",{end}" if end else "")


def _digits(seconds: float) -> str:
    """Returns a number that reads back as the same, without an exponent; empty for infinity."""
    return "" if isinf(seconds) else f"{Decimal(repr(seconds)):f}".removesuffix(".0")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What the container says about its video stream, measured from the packets."""

    width_px: int
    """Display width: after pixel aspect and rotation."""
    height_px: int
    """Display height: after pixel aspect and rotation."""
    duration_seconds: float
    """From the first frame shown to the end of the last one, which stays until the sound ends and
    until the container says that it ends."""
    start_seconds: float
    """Time of the first frame on the container's clock; above 0 where the stream starts late."""
    frame_count: int
    average_fps: float
    codec: str
    rotation_degrees: int = 0
    picture: bool = False
    """Whether the file is one still picture, which vision LLMs take as an image."""


CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,asf,ogg,gif,mxf"
"""Formats of libav that hold their own frames; a playlist would open further files and links."""

MAX_PIXELS: Final = 2**26
"""Most pixels of one picture, unless a decoder is given another limit: twice those of 8K."""

Warn = Callable[[str], None]
"""Receives one line for each thing that went wrong without ending the work."""
