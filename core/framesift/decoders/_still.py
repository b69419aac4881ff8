"""Still pictures as videos of one frame, so that an image can be asked about like a video."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from PIL import Image, ImageOps

from framesift import temporary
from framesift.decoders._request import check_request
from framesift.decoders.base import Decoder, FrameIndex
from framesift.errors import CorruptVideoError
from framesift.registry import describe
from framesift.types.frames import Frames
from framesift.types.video import PICTURES, LocalVideo, VideoInfo, Warn

SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Endings of the names of picture files; what moves, such as GIF, is left to video decoders."""
FORMATS: Final = tuple(PICTURES)


@dataclass(frozen=True, kw_only=True)
class WithStills(Decoder):
    """Reads picture files by itself, and leaves all others to a decoder of videos."""

    summary: ClassVar[str] = "picture files by Pillow, videos by another decoder"

    videos: Decoder

    def spec(self, path: Path) -> str:
        """Returns what stands in reports for what reads a file."""
        return "pillow" if _is_still(path) else describe(self.videos)

    def index(self, path: Path) -> FrameIndex:
        """Returns what the file holds; a picture is one frame at 0 s."""
        if not _is_still(path):
            return self.videos.index(path)
        width, height = _read(path).size
        info = VideoInfo(
            width_px=width,
            height_px=height,
            duration_seconds=0.0,
            start_seconds=0.0,
            frame_count=1,
            average_fps=0.0,
            codec=path.suffix[1:].lower(),
        )
        return FrameIndex(info=info, pts_seconds=np.zeros(1))

    def decode(
        self,
        path: Path,
        indices: Sequence[int],
        *,
        size_px: tuple[int, int] | None = None,
        window: int = 16,
        warn: Warn | None = None,
    ) -> Iterator[Frames]:
        """Yields the frames at `indices`, of a picture its only one."""
        if not _is_still(path):
            yield from self.videos.decode(path, indices, size_px=size_px, window=window, warn=warn)
            return
        check_request(1, indices, size_px, window)
        image = _read(path)
        if size_px is not None:
            image = image.resize((size_px[1], size_px[0]), Image.Resampling.BOX)
        if indices:
            yield Frames(
                data=np.asarray(image)[None],
                pts_seconds=np.zeros(1),
                indices=np.zeros(1, dtype=np.int64),
            )


def picture_file(image: Image.Image) -> LocalVideo:
    """Returns a picture as a file of its own, which goes when the video is closed."""
    with temporary.kept_on_success() as folder:
        path = folder / "picture.png"
        _upright(image).save(path, compress_level=1)
        return LocalVideo(path=path, uri="picture", temporary_folder=folder)


def _is_still(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _read(path: Path) -> Image.Image:
    """Returns the picture in RGB, turned as its camera was held.

    Raises:
        CorruptVideoError: the file is no picture, damaged, or larger than Pillow deems safe.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                return _upright(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
        reason = " ".join(str(error).split())
        raise CorruptVideoError(
            f"{path.name!r} ({path.stat().st_size} bytes) cannot be read as a picture ({reason}); "
            f"give an undamaged {', '.join(FORMATS)} file"
        ) from error
    except Image.DecompressionBombError as error:
        raise CorruptVideoError(
            f"{path.name!r} holds more pixels than are safe to decode; scale it down"
        ) from error


def _upright(image: Image.Image) -> Image.Image:
    turned = ImageOps.exif_transpose(image)
    if turned.has_transparency_data:
        shown = Image.new("RGBA", turned.size, "white")
        shown.alpha_composite(turned.convert("RGBA"))
        turned = shown
    return turned.convert("RGB")
