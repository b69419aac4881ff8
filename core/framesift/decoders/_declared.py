"""What a container declares about itself before its frames: how far it reaches, how long it is."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO, Final

MATROSKA: Final = b"\x1a\x45\xdf\xa3"
SEGMENT, INFO, CLUSTER = 0x18538067, 0x1549A966, 0x1F43B675
TIMESTAMP_SCALE, DURATION = 0x2AD7B1, 0x4489
LEFT_OPEN: Final = 0xFFFFFFFF
"""Length of a RIFF part that was written to where nothing could be filled in later."""
MOST_ELEMENTS: Final = 10_000
"""Most parts of a file that are looked at, more than any real one has."""


def breaks_off(path: Path, format_name: str) -> bool | None:
    """Returns whether `path` ends before what it declares to hold; None where it declares nothing.

    Args:
        path: the file.
        format_name: as libav calls it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if format_name.startswith("mov"):
            return _mp4_end(file, size) > size
        if format_name.startswith("avi"):
            return _riff_end(file, size) > size
        if format_name.startswith("matroska"):
            end = _segment(file)[1]
            return None if end is None else end > size
    return None


def declared_seconds(path: Path, format_name: str) -> float | None:
    """Returns the duration that a Matroska file declares, None if it declares none.

    libav fills in a guess where the file says nothing, which looks the same.
    """
    if not format_name.startswith("matroska"):
        return None
    with path.open("rb") as file:
        place, end = _segment(file)
        file.seek(place)
        for _ in range(MOST_ELEMENTS):
            kind, size = _element(file)
            if kind is None or kind == CLUSTER or size is None:
                return None
            if kind == INFO:
                return _duration(file, size)
            file.seek(size, 1)
            if end is not None and file.tell() >= end:
                return None
    return None


def gif_size(path: Path) -> tuple[int, int] | None:
    """Returns width and height of a GIF in pixels, None for other files."""
    with path.open("rb") as file:
        head = file.read(10)
    if len(head) < 10 or head[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    return struct.unpack("<HH", head[6:])


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Returns where the last box of media ends; what else stands behind it may be anything."""
    place = end = 0
    for _ in range(MOST_ELEMENTS):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8 or place >= size:
            break
        length, kind = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length < 8:
            break
        place += length
        if kind in (b"mdat", b"moof", b"moov"):
            end = place
    return end


def _riff_end(file: BinaryIO, size: int) -> int:
    place = end = 0
    for _ in range(MOST_ELEMENTS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF" or place >= size:
            break
        length = struct.unpack("<I", head[4:])[0]
        if length == LEFT_OPEN:
            break
        place += 8 + length
        end, place = place, place + place % 2
    return end


def _segment(file: BinaryIO) -> tuple[int, int | None]:
    """Returns where the content of the segment starts and ends, None where it is left open."""
    kind, size = _element(file)
    if kind == int.from_bytes(MATROSKA, "big") and size is not None:
        file.seek(size, 1)
        kind, size = _element(file)
        if kind == SEGMENT:
            place = file.tell()
            return place, None if size is None else place + size
    return file.tell(), None


def _duration(file: BinaryIO, size: int) -> float | None:
    scale, duration = 1_000_000, None
    end = file.tell() + size
    while file.tell() < end:
        kind, length = _element(file)
        if kind is None or length is None or length > size:
            return None
        if length > 8:
            file.seek(length, 1)
            continue
        content = file.read(length)
        if kind == TIMESTAMP_SCALE:
            scale = int.from_bytes(content, "big")
        elif kind == DURATION and length in (4, 8):
            duration = struct.unpack(">f" if length == 4 else ">d", content)[0]
    return None if duration is None or not math.isfinite(duration) else duration * scale / 1e9


def _element(file: BinaryIO) -> tuple[int | None, int | None]:
    """Returns the kind and the size of the next EBML element, None for what is missing or open."""
    kind, _ = _number(file, keeps_mark=True)
    size, is_open = _number(file, keeps_mark=False)
    return kind, None if is_open else size


def _number(file: BinaryIO, *, keeps_mark: bool) -> tuple[int | None, bool]:
    first = file.read(1)
    if not first or not first[0]:
        return None, True
    length = 9 - first[0].bit_length()
    data = first + file.read(length - 1)
    value = int.from_bytes(data, "big")
    unmarked = value & ((1 << 7 * length) - 1)
    is_open = unmarked == (1 << 7 * length) - 1 or len(data) < length
    return value if keeps_mark else unmarked, is_open
