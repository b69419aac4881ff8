"""The decoder contract: a file and times in, the frames shown at these times out."""

from __future__ import annotations

import logging
import math
import mmap
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.decoders._boundary import reading
from framesift.decoders.ahead import has_reader
from framesift.errors import CorruptVideoError, InvalidOptionError
from framesift.registry import Part
from framesift.types.frames import Frames
from framesift.types.options import Count, whole
from framesift.types.video import MAX_PIXELS, VideoInfo, Warn

logger = logging.getLogger(__name__)

MOST_STAY_SECONDS: Final = 86_400.0
"""Longest that a last picture is believed to stay, whatever a file or a site says."""
WINDOW: Final = 16
"""Frames that are held at once, unless a caller says otherwise."""
WINDOW_BYTES: Final = 2**26
"""Most bytes of the pictures of one window, unless a single one has more. Three are held at once,
since two are made ahead of the one that is worked on."""

Picture = npt.NDArray[np.uint8]
"""RGB `(H, W, 3)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameIndex:
    """Every frame of a stream, from its packets alone."""

    info: VideoInfo
    pts_seconds: npt.NDArray[np.float64]
    """Presentation times `(F,)` of all frames on the container's clock, ascending."""
    is_cut: bool = False
    """Whether the file breaks off before its announced end."""
    notes: tuple[str, ...] = ()
    """What is odd about the file, in a line each; `decode` warns of it."""
    packet_bytes: npt.NDArray[np.int64] | None = None
    """Bytes that each frame takes in the file `(F,)`: large where much is new. They cost no
    decoding. None where the container does not say which frame is in which packet."""
    is_keyframe: npt.NDArray[np.bool_] | None = None
    """Whether decoding can start at each frame `(F,)`; None where `packet_bytes` is."""
    can_jump: bool = False
    """Whether reading can begin at any of these."""

    def staying(self, until_seconds: float) -> FrameIndex:
        """Returns the index of the same frames, of which the last one stays until a time.

        What comes after the end of a file that breaks off is not known, so that one keeps its end.
        """
        longest_seconds = float(self.pts_seconds[-1]) + MOST_STAY_SECONDS
        length_seconds = min(until_seconds, longest_seconds) - self.info.start_seconds
        if self.is_cut or not self.info.duration_seconds < length_seconds:
            return self
        return replace(self, info=replace(self.info, duration_seconds=length_seconds))


@dataclass(frozen=True, kw_only=True)
class Decoder(Part):
    """Reads frames in bounded memory, whatever the length of the video.

    A subclass writes `scan` and `pictures`. Whatever they raise on the bytes of a file leaves
    `index` and `decode` as one of the errors that these name.
    """

    max_pixels: Count | None = None
    """Most pixels of a picture; a larger one is refused before it is decoded. None for what the
    limits of whoever uses the decoder say."""

    @property
    def most_pixels(self) -> int:
        """The limit that holds."""
        return MAX_PIXELS if self.max_pixels is None else self.max_pixels

    def index(self, path: Path) -> FrameIndex:
        """Returns what the stream holds, without decoding it.

        Raises:
            CorruptVideoError: the file is empty, not a video, or too damaged to read.
            NoVideoStreamError: the file has no video stream.
            VideoTooLargeError: its pictures have more pixels than are allowed.
            SourceError: the file cannot be read at all.
        """
        with reading(Path(path)):
            return self.scan(Path(path))

    def decode(
        self,
        path: Path,
        indices: Sequence[int],
        *,
        size_px: tuple[int, int] | None = None,
        window: int = WINDOW,
        warn: Warn | None = None,
    ) -> Iterator[Frames]:
        """Yields the frames at ascending `indices` (in presentation order), a window at a time.

        Args:
            path: the video file.
            indices: positions in `index(path).pts_seconds`, ascending and unique.
            size_px: `(H, W)` to scale to; None for the display size (after pixel aspect and
                rotation).
            window: largest number of frames held at once; fewer where they are very large.
            warn: called once, with counts and times, where damage cost frames, and where the clock
                of the file jumps.

        Raises:
            CorruptVideoError: not a single one of the frames could be decoded.
        """
        path, missing = Path(path), set(indices)
        with reading(path):
            index = self.scan(path)
            check_indices(len(index.pts_seconds), indices)
            if size_px is not None and min(size_px) < 1:
                raise InvalidOptionError(
                    f"size_px={size_px!r} must be (height, width) of at least 1 pixel"
                )
            whole("window", window, "frame")
            pictures = takewhile(lambda _: has_reader(), self.pictures(path, indices, size_px))
            fitting = max(1, WINDOW_BYTES // (3 * index.info.width_px * index.info.height_px))
            while len(frames := _gathered(index, pictures, min(window, fitting))):
                missing.difference_update(frames.indices.tolist())
                yield frames
        # Behind the block: what the listener raises is not an error of the file.
        for line in told_damage(path, index, indices, missing):
            (warn or logger.warning)(line)

    @abstractmethod
    def scan(self, path: Path) -> FrameIndex:
        """Returns what the stream holds; called before each `pictures`, so that it is cached."""

    @abstractmethod
    def pictures(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None
    ) -> Iterator[tuple[int, Picture]]:
        """Yields the pictures at valid `indices` with these, without what cannot be decoded.

        Args:
            path: the video file.
            indices: positions in `scan(path).pts_seconds`, ascending and unique.
            size_px: `(H, W)` to scale to; None for the display size.
        """


def check_indices(frame_count: int, indices: Sequence[int]) -> None:
    """Refuses positions that a video of `frame_count` frames does not have.

    Raises:
        InvalidOptionError: one is out of range, or they do not ascend.
    """
    if any(first >= second for first, second in pairwise(indices)):
        raise InvalidOptionError("indices must ascend without repeats; use sorted(set(indices))")
    if indices and (indices[0] < 0 or indices[-1] >= frame_count):
        raise InvalidOptionError(
            f"indices {indices[0]}..{indices[-1]} must be within 0..{frame_count - 1}, the frames "
            "of this video; take them from its index"
        )


def _gathered(index: FrameIndex, pictures: Iterator[tuple[int, Picture]], window: int) -> Frames:
    """Returns the next pictures, at most `window`, as frames with their times."""
    data = np.empty((0, 0, 0, 3), dtype=np.uint8)
    indices: list[int] = []
    for position, picture in islice(pictures, window):
        if not indices:
            data = _pages((window, *picture.shape))
        data[len(indices)] = picture
        indices.append(position)
    return Frames(
        data=data[: len(indices)],
        pts_seconds=index.pts_seconds[indices],
        indices=np.array(indices, dtype=np.int64),
    )


def _pages(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Returns an array of its own pages of memory, which the system has back when it is dropped.

    The heap of a thread that decodes would keep as much as all windows in flight take.
    """
    private = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
    options = {"flags": private} if private else {}  # on Windows there is nothing to choose
    memory = mmap.mmap(-1, math.prod(shape), **options)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)  # small pages cost a tenth of decoding
    return np.frombuffer(memory, dtype=np.uint8).reshape(shape)


def told_damage(
    path: Path, index: FrameIndex, asked: Sequence[int], missing: set[int]
) -> list[str]:
    """Returns what damage cost and what is odd about a file, in lines.

    Raises:
        CorruptVideoError: all frames that were asked are missing.
    """
    if asked and len(missing) == len(asked):
        raise CorruptVideoError(
            f"{path.name!r}: none of the {len(asked)} requested frames can be decoded; give an "
            "undamaged file or try another decoder"
        )
    damage = _damage(index, len(asked), missing)
    return [*([f"{path.name!r} is damaged: {damage}"] if damage else []), *index.notes]


def _damage(index: FrameIndex, count: int, missing: set[int]) -> str:
    """Returns what damage cost, empty text for an undamaged file."""
    facts = []
    if missing:
        first_seconds = index.pts_seconds[min(missing)]
        facts.append(
            f"{len(missing)} of {count} asked frames are lost, from {first_seconds:.2f} s on"
        )
    if index.is_cut:
        end_seconds = index.info.start_seconds + index.info.duration_seconds
        facts.append(f"the file breaks off, no frames after {end_seconds:.2f} s")
    return "; ".join(facts)
