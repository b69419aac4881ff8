"""Addresses of videos that could not be read."""

from __future__ import annotations

from pathlib import Path

from framesift.errors import FramesiftError
from framesift.fetching.links import without_secrets
from framesift.sources.file import file_path
from framesift.sources.link_times import split_part
from framesift.types.text import file_address, whole_characters
from framesift.types.video import with_part


def source_address(video: str | Path) -> str:
    """Returns the address that a video has once it is read, for one that could not be.

    So what stands for it is replaced when it can. It holds no secret of a link, and of the bytes
    of a data: URI none.
    """
    address, part_seconds = str(video), None
    try:
        if not isinstance(video, Path):
            if address[:5].lower() == "data:":
                return f"{address[:80].partition(',')[0]},..."
            address, part_seconds = split_part(address)
            if "://" in address[:20] and address[:5].lower() != "file:":
                return with_part(without_secrets(address), part_seconds)
        path = file_path(address)
        address = file_address(path.resolve() if path.exists() else path.absolute())
    except (FramesiftError, OSError, RuntimeError, ValueError):
        pass  # an address of nothing that could be
    return whole_characters(with_part(address, part_seconds))
