"""Runs of pictures in chat messages that are frames of a video, and which of them are enough.

Clients that cannot send videos send frames, as many `image_url` parts in one message. Which of all
pictures are frames is a matter of trust: three photos never are, and eight photos of one camera
look like a video to a machine. So a run is at least `LEAST` pictures of one size, one after the
other in a message of the user, and each stands after its time, unless somebody has said that
pictures in a row are frames.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.errors import UnsupportedSourceError, VideoTooLargeError
from framesift.fetching.limits import FetchLimits
from framesift.run import stoppable
from framesift.selectors import registry as selectors
from framesift.sources.base import open_video
from framesift.sources.link_times import seconds_of
from framesift.types.picture import opened, picture_kind

LEAST: Final = 8
"""Pictures of the shortest run."""
MOST_LETTERS: Final = 40
"""Of a text that is the time of a picture."""
AROUND: Final = "[](){}<>:,.#="
WORDS: Final = frozenset(
    {"at", "frame", "s", "sec", "secs", "second", "seconds", "t", "time", "timestamp"}
)
"""What a time is written with."""
HEAD: Final = "data:image/"
COMPARED_PX: Final = 1536
"""Longest side at which pictures are compared with one another."""
BLOCK_PX: Final = 8
LEVELS: Final = 14
"""Mean difference of a block, of 256, above which it is more than noise and compression; a digit of
small print differs by 30, noise and JPEG of a webcam by up to 11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRun:
    """Pictures of one size in one message."""

    row: int
    """The message."""
    columns: tuple[int, ...]
    """Its parts that are the pictures."""
    times: tuple[float | None, ...]
    """What the part before each says; None where that is no time."""
    size_px: tuple[int, int]
    """Width and height of each."""
    files: tuple[bytes, ...] = field(repr=False)

    @property
    def key(self) -> str:
        """The same for the same pictures."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(hashlib.sha256(file).digest())
        return digest.hexdigest()

    def dropped(self, kept: Sequence[int]) -> set[tuple[int, int]]:
        """Returns message and part of each picture that is not among `kept`, and of its time."""
        found: set[tuple[int, int]] = set()
        for place in set(range(len(self.columns))) - set(kept):
            column = self.columns[place]
            found.add((self.row, column))
            if self.times[place] is not None:
                found.add((self.row, column - 1))
        return found


def picture_runs(messages: Sequence[Any], *, timed: bool) -> list[PictureRun]:
    """Returns the runs of pictures that are frames.

    Only pictures in base64 are; links are fetched by whoever answers.

    Args:
        messages: of a request in OpenAI's chat form.
        timed: whether each picture must stand after its time, times ascending; else any run counts.
    """
    runs = []
    for row, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list) or message.get("role") != "user":
            continue
        for part in _in_a_row(content, timed=timed):
            columns, times = zip(*part, strict=True)
            if len(part) >= LEAST and (run := _of_one_size(content, row, columns, times)):
                runs.append(run)
    return runs


def enough_pictures(
    run: PictureRun, count: int, question: str, *, selector: str, limits: FetchLimits
) -> list[int]:
    """Returns the places of the pictures that stay, in order.

    Those that show what the one before them shows are left out, and of the others what the selector
    leaves out where there are more than `count`.

    Args:
        run: of pictures.
        count: most that stay.
        question: what the user asks, for selectors that read it.
        selector: as a spec string.
        limits: hold how large a picture may be.

    Raises:
        FramesiftError: one cannot be decoded, or is too large.
    """
    width, height = run.size_px
    if width * height > limits.max_pixels:
        raise VideoTooLargeError(
            f"pictures of {width}x{height} pixels are sent as frames, allowed are "
            f"{limits.max_pixels}; send smaller ones"
        )
    moving = _moving(run)
    if len(moving) <= count:
        return moving
    files = b",".join(base64.b64encode(_as_jpeg(run.files[place])) for place in moving).decode()
    asked = question if selectors.create(selector).reads_question else None
    with open_video(f"data:video/jpeg;base64,{files}", limits) as video:
        sift = VideoCompressor(selector=selector, limits=limits)
        chosen = sift.select(video, count, asked, warn=_known)
    return [moving[place] for place in chosen.picked]


def _in_a_row(content: list[Any], *, timed: bool) -> Iterator[list[tuple[int, float | None]]]:
    """Yields pictures in a row: the part that each is, and its time."""
    run: list[tuple[int, float | None]] = []
    seconds: float | None = None
    for column, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and seconds is None and (at := _time(part.get("text"))) is not None:
            seconds = at
            continue
        picture = kind == "image_url" and _address(part).startswith(HEAD)
        late = bool(run) and (run[-1][1] is None) != (seconds is None)
        late = late or (bool(run) and seconds is not None and seconds < (run[-1][1] or 0))
        if run and (late or not picture):
            yield run
            run = []
        if picture and (seconds is not None or not timed):
            run.append((column, seconds))
        seconds = None
    if run:
        yield run


def _of_one_size(
    content: list[Any], row: int, columns: Sequence[int], times: Sequence[float | None]
) -> PictureRun | None:
    """Returns the run of some parts, None where they differ in size or one is no picture."""
    files, sizes = [], set()
    for column in columns:
        try:
            file = base64.b64decode(_address(content[column]).partition(",")[2], validate=True)
        except (binascii.Error, ValueError):
            return None
        files.append(file)
        sizes.add(_size_px(file))
        if len(sizes) > 1:
            return None
    (size_px,) = sizes
    if size_px is None:
        return None
    return PictureRun(
        row=row, columns=tuple(columns), times=tuple(times), size_px=size_px, files=tuple(files)
    )


def _address(part: Any) -> str:
    given = part.get("image_url") if isinstance(part, dict) else None
    url = given.get("url") if isinstance(given, dict) else given
    return url if isinstance(url, str) else ""


def _time(text: Any) -> float | None:
    """Returns the time that a short text says, such as `[00:07]`, `3.5 s` or `Frame 12`."""
    if not isinstance(text, str) or len(text) > MOST_LETTERS:
        return None
    words = [word.strip(AROUND) for word in text.lower().replace("=", " ").split()]
    numbers = [word for word in words if word and word not in WORDS]
    if not 1 <= len(numbers) <= 2 or any(seconds_of(word) is None for word in numbers):
        return None
    last = numbers[-1]
    says_so = ":" in last or last.endswith("s") or len(numbers) < len(list(filter(None, words)))
    return seconds_of(last) if says_so else None


def _size_px(file: bytes) -> tuple[int, int] | None:
    kind = picture_kind(file[:16])
    if kind is None:
        return None
    try:
        return opened(io.BytesIO(file), kind).size
    except Exception:  # Pillow's readers raise whatever comes up; the upstream says what is wrong
        return None


def _moving(run: PictureRun) -> list[int]:
    """Returns the places of pictures of which any block differs from the last one that stays.

    So a digit that changes on a page is seen, and a change that is slow adds up.
    """
    scale = min(1.0, COMPARED_PX / max(run.size_px))
    columns, rows = (max(1, round(side * scale / BLOCK_PX)) for side in run.size_px)
    kept, last = list[int](), None
    for place, file in enumerate(stoppable(run.files, "select")):
        small = _picture(file).resize((columns * BLOCK_PX, rows * BLOCK_PX), Image.Resampling.BOX)
        now = np.asarray(small, dtype=np.float32)
        if last is not None:
            blocks = np.abs(now - last).reshape(rows, BLOCK_PX, columns, BLOCK_PX, 3)
            if blocks.mean((1, 3)).max() <= LEVELS:
                continue
        kept, last = [*kept, place], now
    return kept


def _known(_: str) -> None:
    """Takes the warning that such frames tell no times."""


def _picture(file: bytes) -> Image.Image:
    """Returns a picture in RGB.

    Raises:
        UnsupportedSourceError: it cannot be decoded.
    """
    kind = picture_kind(file[:16])
    assert kind is not None
    try:
        with opened(io.BytesIO(file), kind) as picture:
            return picture.convert("RGB")
    except Exception as error:  # Pillow's readers raise whatever comes up
        raise UnsupportedSourceError(
            f"a picture of the type {kind} cannot be decoded ({error}); send it again"
        ) from error


def _as_jpeg(file: bytes) -> bytes:
    """Returns a picture as a JPEG file of the same size.

    Raises:
        UnsupportedSourceError: it cannot be decoded.
    """
    if picture_kind(file[:16]) == "JPEG":
        return file
    made = io.BytesIO()
    _picture(file).save(made, "JPEG", quality=90)
    return made.getvalue()
