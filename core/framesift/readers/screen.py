"""Reads what stands on the screen: each line once, with the time at which it stands there."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
from pydantic import Field

from framesift.readers._parts import Part, overlap
from framesift.readers._rapid_engine import check_language
from framesift.readers.base import Readable, Reader, Reading
from framesift.readers.changed import Change, ChangedParts
from framesift.readers.following import LineFollower
from framesift.readers.ocr import Ocr, OcrLine, OcrPage, Picture, ocr
from framesift.readers.pieces import Pieces
from framesift.readers.seen import SeenLine, Shift
from framesift.run import progress_bar
from framesift.types.options import Count, Reachable, Share
from framesift.types.video import Region

VERSION: Final = 1
"""Of how pieces are read; another one reads what was kept on disk anew."""


@dataclass(frozen=True, kw_only=True)
class Screen(Reader):
    """OCR of the frames, and in each of what changed since it was read."""

    summary: ClassVar[str] = "text on the picture, by OCR of what changes (extra `ocr`)"
    gives_boxes: ClassVar[bool] = True

    fps: Annotated[float, Field(ge=1e-9, le=1e6)] = 1.0
    """Frames looked at per second of video."""
    max_side_px: Count | None = 2048
    """Longest side that frames are scaled down to; None for the display size."""
    found_px: Count = 1280
    """Longest side at which lines are looked for; they are read from all pixels. Of words in
    letters of 10 px on a 1920x1080 page 97 % are read at 1280, 92 % at 1024."""
    min_confidence: Share = 0.5
    """Lines that are less sure are dropped; short ones sooner: one letter alone below 0.92."""
    max_words: Count = 2000
    """Most words read in one frame."""
    language: str | None = None
    """Code of a language that the models should know, such as `"de"`; None to read any."""
    models: Reachable | None = None
    """Folder of ONNX models; None for those that come with `rapidocr`."""
    reads: Literal["changed", "all"] = "changed"
    """Read what changed since the frame before, or each frame as a whole."""

    def __post_init__(self) -> None:
        if self.language is not None and self.models is None:
            check_language(self.language)

    @property
    def state(self) -> Hashable:
        """The files of the folder of models: others in the same folder read anew."""
        files = sorted(Path(self.models).glob("*.*")) if self.models else ()
        stats = ((path.name, path.stat()) for path in files)
        return tuple((name, each.st_size, each.st_mtime_ns) for name, each in stats)

    def read(self, video: Readable) -> Reading:
        """Returns the lines that stand on the picture, in the order in which they came.

        Raises:
            MissingDependencyError: RapidOCR or ONNX Runtime is not installed.
        """
        indices, size_px = video.sampled(self.fps), video.size_px(self.max_side_px)
        info = video.index.info
        screen = _Watched(self, video.pieces, size_px or (info.height_px, info.width_px))
        _engine(self)  # what is missing is said before anything is decoded
        with progress_bar("read", total=len(indices)) as bar:
            for window in video.frames(indices, size_px):
                for pixels, seconds in zip(window.data, window.pts_seconds.tolist(), strict=True):
                    screen.see(pixels, seconds)
                    bar.update()
        if screen.left_out:
            video.run.warn(
                f"{screen.left_out} lines of text were left out, in frames of more than "
                f"{self.max_words} words; raise max_words of {self.spec!r} to read them"
            )
        return screen.reading(_end_seconds(video))


@dataclass(slots=True)
class _Watched:
    """What was seen of one video so far."""

    reader: Screen
    pieces: Pieces
    size_px: tuple[int, int]
    """Of the frames as they are looked at, `(H, W)`."""
    changed: ChangedParts = field(default_factory=ChangedParts)
    lines: LineFollower = field(default_factory=LineFollower)
    frames_read: int = 0
    frames_total: int = 0
    pixels_read: int = 0
    pixels_total: int = 0
    left_out: int = 0
    """Lines that were found, but not read."""

    def see(self, picture: Picture, seconds: float) -> None:
        """Reads what is new in the next frame."""
        size_px = height, width = picture.shape[:2]
        change = Change(read=((0, 0, width, height),))
        if self.reader.reads == "changed":
            standing = [_in_pixels(place, size_px) for place in self.lines.places]
            doubtful = [_around(place, size_px) for place in self.lines.doubtful]
            change = self.changed.next(picture, standing)
            again = [
                part for part in doubtful if not any(overlap(part, read) for read in change.read)
            ]
            change = replace(change, read=(*change.read, *again))
        pages = self._read([picture[y0:y1, x0:x1] for x0, y0, x1, y1 in change.read])
        found = []
        for (x0, y0, _, _), page in zip(change.read, pages, strict=True):
            found += [_seen(line.moved(x0, y0), size_px) for line in page.lines]
            self.left_out += page.lines_left_out
        gone_or_read = [_in_sizes(part, size_px) for part in (*change.read, *change.cleared)]
        shifts = [
            Shift(
                region=_in_sizes(each.part, size_px),
                by=(each.right_px / width, each.down_px / height),
            )
            for each in change.moved
        ]
        self.lines.see(seconds, found, gone_or_read, shifts)
        self.frames_read += bool(change.read)
        self.frames_total += 1
        self.pixels_read += change.read_px
        self.pixels_total += height * width

    def reading(self, end_seconds: float) -> Reading:
        """Returns all that was read, where the video ends."""
        return Reading(
            lines=self.lines.ended(end_seconds, "screen"),
            frames_read=self.frames_read,
            frames_total=self.frames_total,
            pixels_read=self.pixels_read,
            pixels_total=self.pixels_total,
        )

    def _read(self, pictures: Sequence[Picture]) -> list[OcrPage]:
        """Returns what stands in each picture; those that were read before are not read again."""
        keys = [self._key(picture) for picture in pictures]
        known = {key: self.pieces.get(key) for key in keys}
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if not known[key]}
        if new:
            options = self.reader
            scale = options.found_px / max(options.found_px, *self.size_px)
            pages = _engine(options).read(
                list(new.values()),
                scale=scale,
                most_words=options.max_words,
                least_confidence=options.min_confidence,
            )
            for key, page in zip(new, pages, strict=True):
                known[key] = _kept(page)
                self.pieces.add(key, known[key])
        return [_page(known[key]) for key in keys]

    def _key(self, picture: Picture) -> str:
        options = self.reader
        how = options.found_px, options.max_words, options.min_confidence, options.state
        return f"{VERSION} {how} {self.size_px} {picture.shape} {_digest(picture)}"


def _engine(options: Screen) -> Ocr:
    return ocr(None if options.models is None else Path(options.models), options.language)


def _seen(line: OcrLine, size_px: tuple[int, int]) -> SeenLine:
    return SeenLine(text=line.text, box=line.region(size_px), confidence=line.confidence)


def _in_pixels(region: Region, size_px: tuple[int, int]) -> Region:
    (height, width), (x0, y0, x1, y1) = size_px, region
    return x0 * width, y0 * height, x1 * width, y1 * height


def _around(region: Region, size_px: tuple[int, int]) -> Part:
    """Returns the part around a line, with what it may have beside it."""
    (height, width), (x0, y0, x1, y1) = size_px, _in_pixels(region, size_px)
    beside = (y1 - y0) / 4
    return (
        max(0, math.floor(x0 - beside)),
        max(0, math.floor(y0 - beside)),
        min(width, math.ceil(x1 + beside)),
        min(height, math.ceil(y1 + beside)),
    )


def _in_sizes(part: Region, size_px: tuple[int, int]) -> Region:
    (height, width), (x0, y0, x1, y1) = size_px, part
    return x0 / width, y0 / height, x1 / width, y1 / height


def _kept(page: OcrPage) -> list[Any]:
    """Returns a page as JSON-safe values, which `_page` reads back."""
    lines = [[line.text, line.box_px, line.confidence] for line in page.lines]
    return [lines, page.lines_left_out]


def _page(kept: list[Any]) -> OcrPage:
    lines, left_out = kept
    return OcrPage(
        lines=tuple(
            OcrLine(text=text, box_px=tuple(box), confidence=confidence)
            for text, box, confidence in lines
        ),
        lines_left_out=left_out,
    )


def _digest(picture: Picture) -> str:
    return hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()


def _end_seconds(video: Readable) -> float:
    """Returns when the video, or the part of it that was opened, ends."""
    info, part = video.index.info, video.local.part_seconds
    end = info.start_seconds + info.duration_seconds
    return end if part is None else min(end, part[1])
