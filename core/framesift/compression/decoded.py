"""The frames of a video between decoding and encoding, which two machines may do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from framesift.compression.opening import FrameReader
from framesift.decoders.base import Decoder, FrameIndex, Picture
from framesift.errors import InvalidOptionError
from framesift.run import Run
from framesift.types.frames import Frames
from framesift.types.selection import SelectionReport
from framesift.types.video import LocalVideo


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedVideo:
    """The frames of a video that become tokens; its file may be gone by now."""

    local: LocalVideo
    """Where it came from, without the file."""
    name: str
    """Of the file, for messages."""
    index: FrameIndex
    """All frames of the file."""
    wanted: tuple[int, ...]
    """Positions in the stream that become tokens."""
    frames: Frames
    """Those of them that could be decoded, all in memory."""
    size_px: tuple[int, int] | None
    """The size `(H, W)` that was asked for; None for the display size."""
    fps: float
    """Frames sampled per second of video."""
    selection: SelectionReport | None
    """How frames were picked, None where none had to be left out."""
    decoder: str
    """Spec string of what read the file."""

    def __repr__(self) -> str:
        return f"DecodedVideo({self.local.uri!r}, {self.frames!r})"

    @contextmanager
    def opened(self, run: Run) -> Iterator[FrameReader]:
        """Gives the frames as `Opener.open` does those of the file."""
        for line in self.local.warnings:
            run.warn(line)
        with ExitStack() as threads:
            yield _Reader(
                local=self.local,
                decoder=_Decoded(video=self),
                run=run,
                threads=threads,
                name=self.name,
            )


@dataclass(frozen=True, kw_only=True)
class _Reader(FrameReader):
    name: str

    @property
    def path(self) -> Path:
        """The name of the file, which is not there."""
        return Path(self.name)


@dataclass(frozen=True, kw_only=True)
class _Decoded(Decoder):
    """Gives pictures that were decoded before, in windows as from the file."""

    summary: ClassVar[str] = "frames that were decoded before"

    video: DecodedVideo

    def scan(self, path: Path) -> FrameIndex:
        return self.video.index

    def pictures(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None
    ) -> Iterator[tuple[int, Picture]]:
        if size_px != self.video.size_px:
            raise InvalidOptionError(
                f"the frames were decoded at size_px={self.video.size_px!r}, and the encoder takes "
                f"{size_px!r}; decode and encode with the same options"
            )
        places = {int(index): place for place, index in enumerate(self.video.frames.indices)}
        for index in indices:
            if index in places:
                yield index, self.video.frames.data[places[index]]
