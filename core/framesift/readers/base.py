"""The contract of readers: an open video in, the text that it shows or says, with times, out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from framesift.decoders.base import FrameIndex
from framesift.errors import InvalidOptionError
from framesift.readers import registry
from framesift.readers.pieces import Pieces
from framesift.registry import Part, registered_name
from framesift.run import Run
from framesift.types.frames import Frames
from framesift.types.options import shown
from framesift.types.video import LocalVideo, TimedText


class Readable(Protocol):
    """An open video, as far as readers need it."""

    @property
    def local(self) -> LocalVideo:
        """Where it is, its subtitles, and the part that was opened."""

    @property
    def run(self) -> Run:
        """The call that reading is a part of: its warnings and its clock."""

    @property
    def path(self) -> Path:
        """The file; raises `UnsupportedSourceError` where the video was opened for its text."""

    @property
    def index(self) -> FrameIndex:
        """All frames of the file with their times."""

    @property
    def pieces(self) -> Pieces:
        """What was read of it before, piece by piece, so that long work goes on where it ended."""

    def sampled(self, fps: float) -> list[int]:
        """Returns the positions of the frames shown at `fps` in the part that was opened."""

    def size_px(self, max_side_px: int | None) -> tuple[int, int] | None:
        """Returns the display size `(H, W)` scaled down to a longest side; None for no limit."""

    def frames(
        self, indices: Sequence[int], size_px: tuple[int, int] | None = None
    ) -> Iterator[Frames]:
        """Yields the frames at ascending positions that can be decoded, a window at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reader found in a video, and what that took."""

    lines: tuple[TimedText, ...]
    """In time order."""
    frames_read: int = 0
    """Frames of which some part was read."""
    frames_total: int = 0
    """Frames that were looked at."""
    pixels_read: int = 0
    """Pixels that were read, of the frames as they were looked at."""
    pixels_total: int = 0
    """Pixels of all frames that were looked at."""


@dataclass(frozen=True, kw_only=True)
class Reader(Part):
    """Reads text out of a video; the lines name it as their `source`."""

    is_costly: ClassVar[bool] = True
    """Whether what it read is worth keeping for the next question."""
    gives_boxes: ClassVar[bool] = False
    """Whether its lines say where on the picture they stand."""

    @property
    def state(self) -> Hashable:
        """What decides beside the options: the files of a model, as they are now."""
        return None

    @abstractmethod
    def read(self, video: Readable) -> Reading:
        """Returns the text of an open video, in time order.

        What goes wrong without ending the work, such as a video without sound, is a warning of
        `video.run`, and the lines are those that could be read.
        """


def created_readers(text: str | Reader | Sequence[str | Reader]) -> tuple[Reader, ...]:
    """Returns the readers that an option names: one, several, or none.

    Raises:
        SpecError: a name or an option does not exist.
        InvalidOptionError: they are not names or readers, or one is named twice.
    """
    named = text if isinstance(text, Sequence) and not isinstance(text, str) else [text]
    readers = tuple(map(registry.create, named))
    names = [registered_name(type(reader)) for reader in readers]
    if len(set(names)) < len(names):
        raise InvalidOptionError(
            f"text={shown(text)} names a reader twice; name each of {', '.join(registry.names())} "
            "at most once"
        )
    return readers
