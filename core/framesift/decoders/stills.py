"""Reads picture files as videos of one frame, or of several if they are animated, with Pillow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from framesift.decoders._boundary import check_pixels, reading
from framesift.decoders._moving import shown_seconds
from framesift.decoders.base import WINDOW, Decoder, FrameIndex
from framesift.disk import temporary
from framesift.errors import CorruptVideoError, FramesiftError, VideoTooLargeError
from framesift.types.frames import Frames
from framesift.types.picture import PICTURES, opened, picture_kind
from framesift.types.video import MAX_PIXELS, LocalVideo, VideoInfo, Warn

ORIENTATION: Final = 0x0112
IN_MEMORY: Final = "picture"
"""What stands for the address of a picture that was given as an object."""
SIDEWAYS: Final = (5, 6, 7, 8)
"""Orientations of cameras that swap width and height."""


@dataclass(frozen=True, kw_only=True)
class WithStills(Decoder):
    """Reads pictures by itself, and leaves all other files to a decoder of videos.

    What a file holds decides, not its name. Animated PNG and WebP are videos; GIF and sequences of
    AVIF pictures are left to the other decoder.
    """

    summary: ClassVar[str] = "picture files by Pillow, videos by another decoder"

    videos: Decoder

    def reader_spec(self, path: Path) -> str:
        """Returns the spec string of the reader of a file, for reports."""
        return "pillow" if _is_picture(path) else self.videos.spec

    def index(self, path: Path) -> FrameIndex:
        """Returns what the file holds; a still is one frame at 0 s."""
        return super().index(path) if _is_picture(path) else self.videos.index(path)

    def decode(
        self,
        path: Path,
        indices: Sequence[int],
        *,
        size_px: tuple[int, int] | None = None,
        window: int = WINDOW,
        warn: Warn | None = None,
    ) -> Iterator[Frames]:
        """Yields the frames at `indices`, of a still its only one; pictures come one by one."""
        is_picture = _is_picture(path)
        decode = super().decode if is_picture else self.videos.decode
        held = min(window, 1) if is_picture else window
        yield from decode(path, indices, size_px=size_px, window=held, warn=warn)

    def scan(self, path: Path) -> FrameIndex:
        """Returns what a picture file holds."""
        with self._opened(path) as picture:
            width, height = picture.image.size
            if picture.image.getexif().get(ORIENTATION) in SIDEWAYS:
                width, height = height, width
            times, kind = picture.times, picture.kind.lower()
            more = picture.has_further_pages()
        count = len(times) - 1
        info = VideoInfo(
            width_px=width,
            height_px=height,
            duration_seconds=times[-1],
            start_seconds=0.0,
            frame_count=count,
            average_fps=count / times[-1] if times[-1] else 0.0,
            codec=kind,
            picture=count == 1 and not times[-1],
        )
        note = f"{path.name!r} holds several pictures; the first one is taken"
        return FrameIndex(
            info=info, pts_seconds=np.array(times[:-1]), notes=(note,) if more else ()
        )

    def pictures(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None
    ) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Yields the frames at `indices`, upright."""
        with self._opened(path) as picture:
            for index in indices:
                image = picture.shown(index)
                if size_px is not None:
                    image = image.resize((size_px[1], size_px[0]), Image.Resampling.BOX)
                yield index, np.asarray(image)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[_OpenPicture]:
        """Opens a picture and checks its size before any of it is decoded.

        Raises:
            CorruptVideoError: the file is damaged.
            VideoTooLargeError: the picture has too many pixels.
        """
        try:
            with path.open("rb") as file:
                kind = picture_kind(file.read(16))
                assert kind is not None
                seconds = shown_seconds(file, kind)
                with opened(file, kind) as image:
                    check_pixels(path.name, *image.size, self.videos.most_pixels)
                    yield _OpenPicture(image=image, kind=kind, seconds=seconds)
        except FramesiftError:
            raise
        except Image.DecompressionBombError as error:  # some of Pillow's readers have its limit
            raise VideoTooLargeError(
                f"{path.name!r} holds more pixels than Pillow reads; scale it down"
            ) from error
        except Exception as error:
            if isinstance(error, MemoryError) or not path.is_file():
                raise
            raise CorruptVideoError(
                f"{path.name!r} ({path.stat().st_size} bytes) cannot be read as a picture "
                f"({' '.join(str(error).split())}); give an undamaged {', '.join(PICTURES)} file"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenPicture:
    """An open picture, whose frames are decoded on demand."""

    image: Image.Image
    kind: str
    seconds: list[float]
    """How long each of its frames is shown, empty for a still."""

    @property
    def times(self) -> list[float]:
        """Seconds at which frames begin, and at which the last one ends."""
        return list(accumulate(self.seconds, initial=0.0)) if self.seconds else [0.0, 0.0]

    def shown(self, index: int) -> Image.Image:
        """Returns the frame at `index`, upright and in RGB."""
        if self.seconds:
            # A PNG may begin with a preview that is not one of its frames.
            self.image.seek(index + bool(getattr(self.image, "default_image", False)))
        return _upright(self.image)

    def has_further_pages(self) -> bool:
        """Returns whether this is a file of several pages, as scanners and faxes write them."""
        if self.kind != "TIFF":
            return False
        try:
            self.image.seek(1)
        except EOFError:
            return False
        return True


def picture_file(image: Image.Image, max_pixels: int = MAX_PIXELS) -> LocalVideo:
    """Returns a picture as a temporary file, which is removed when the video is closed.

    Raises:
        VideoTooLargeError: it has more than `max_pixels`; it may not be decoded yet.
        CorruptVideoError: it was opened lazily, and what it holds is damaged.
    """
    check_pixels("picture", *image.size, max_pixels)
    try:
        upright = _upright(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise CorruptVideoError(
            f"the picture cannot be decoded ({' '.join(str(error).split())[:200]}); give an "
            "undamaged one"
        ) from error
    with temporary.kept_on_success() as folder:
        path = folder / "picture.png"
        upright.save(path, compress_level=1)
        return LocalVideo(path=path, uri=IN_MEMORY, temporary_folder=folder)


def _is_picture(path: Path) -> bool:
    path = Path(path)
    with reading(path), path.open("rb") as file:
        return picture_kind(file.read(16)) is not None


def _upright(image: Image.Image) -> Image.Image:
    turned = ImageOps.exif_transpose(image)
    if turned.has_transparency_data:
        shown = Image.new("RGBA", turned.size, "white")
        shown.alpha_composite(turned.convert("RGBA"))
        turned = shown
    return turned.convert("RGB")
