"""When the pictures of an animated PNG or WebP are shown, from the headers of its parts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

UNSET_SECONDS: Final = 0.1
"""How long a picture stays whose file says 0, as in browsers."""


def shown_seconds(file: BinaryIO, kind: str) -> list[float]:
    """Returns how long each picture of an animation is shown, an empty list for a still.

    Args:
        file: open at any place.
        kind: `"PNG"` or `"WEBP"`; nothing else moves here.
    """
    file.seek(0)
    if kind == "PNG":
        durations = [
            _fraction(*struct.unpack(">HH", data[20:24]))
            for name, data in _png_chunks(file)
            if name == b"fcTL" and len(data) >= 24
        ]
    elif kind == "WEBP":
        durations = [
            int.from_bytes(data[12:15], "little") / 1000
            for name, data in _webp_chunks(file)
            if name == b"ANMF" and len(data) >= 16
        ]
    else:
        return []
    return [seconds or UNSET_SECONDS for seconds in durations]


def _fraction(numerator: int, denominator: int) -> float:
    return numerator / (denominator or 100)  # as the format says of a denominator of 0


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yields names and beginnings of the chunks of an animation; nothing of a still."""
    file.seek(8)
    moves = False
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        moves |= name == b"acTL"
        if name == b"IDAT" and not moves:
            return
        data = file.read(min(length, 32))
        yield name, data
        file.seek(length - len(data) + 4, 1)


def _webp_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        data = file.read(min(length, 32))
        yield name, data
        file.seek(length - len(data) + length % 2, 1)
