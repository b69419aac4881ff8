"""Tells picture files by their first bytes, whatever their name.

`PIL.Image.open` has a limit of pixels of its own, which only a global variable raises, so its
readers are called one by one.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from PIL import Image

PICTURES: Final = {
    "AVIF": ".avif",
    "BMP": ".bmp",
    "JPEG": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
}
"""Formats that Pillow reads, as a still or moving, with the ending of their files."""


def opened(file: BinaryIO, kind: str) -> Image.Image:
    """Returns the picture in a file, of which the header is read and nothing is decoded yet.

    Args:
        file: at its beginning.
        kind: as `picture_kind` says.
    """
    file.seek(0)
    return Image.OPEN[kind][0](file, "")


def picture_kind(head: bytes) -> str | None:
    """Returns the format of a picture, one of `PICTURES`, None for other files.

    Args:
        head: the first 16 bytes of a file.
    """
    Image.init()
    if head[4:8] == b"ftyp" and head[8:12] != b"avif":  # a video in a container of the same family
        return None
    readers = ((kind, Image.OPEN[kind][1]) for kind in PICTURES if kind in Image.OPEN)
    return next((kind for kind, accepts in readers if accepts and accepts(head) is True), None)
