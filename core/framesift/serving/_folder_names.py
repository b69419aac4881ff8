"""How videos in the folders of a surface are called, and what a list of them holds."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from framesift.errors import FramesiftError
from framesift.sources.file import file_path
from framesift.sources.link_times import split_part
from framesift.types.text import printable

FOLDER_SCHEME: Final = "videos:///"
"""How an address of a video in these folders begins that holds any name, in percent-encoding."""


class FolderVideo(BaseModel):
    """A video in a folder that may be opened."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="What requests call the video.")
    uri: str = Field(description="The same as an address that holds any name.")
    size_bytes: int
    changed: datetime = Field(description="When it was last written to.")


class FolderPage(BaseModel):
    """Some of the videos in folders that may be opened, in the order of their names."""

    model_config = ConfigDict(frozen=True)

    videos: tuple[FolderVideo, ...]
    total: int = Field(description="How many there are on all pages.")
    next_after: str | None = Field(description="What the next page begins after; none on the last.")
    warnings: tuple[str, ...] = Field(description="What could not be listed.")


def root_paths(roots: Sequence[str]) -> Iterator[Path]:
    """Yields the folders that roots name, as they are spelled and without links."""
    for root in roots:
        if root[:5].lower() == "file:":
            try:
                path = Path(os.path.normpath(file_path(root)))
                yield path
                yield path.resolve()
            except (FramesiftError, OSError, ValueError, RuntimeError):
                continue  # of another machine: it holds nothing of this one


def plain_name(address: str) -> str:
    """Returns the path in an address of ours, and any other text as it is."""
    if not address.lower().startswith(FOLDER_SCHEME):
        return address
    return unquote(address[len(FOLDER_SCHEME) :], errors="surrogateescape")


def given_name(name: str, uri: str) -> str:
    """Returns what a video is called in requests: its name, unless that reads as anything else."""
    is_plain = printable(name) == name and split_part(name)[0] == name and "://" not in name
    is_plain = is_plain and not name.startswith(("~", "data:", "file:", " "))
    return name if is_plain and os.path.normpath(name) == name else uri


def free_name(name: str, taken: Collection[str]) -> str:
    """Returns a name that none of those which are taken is, with a number behind it if need be."""
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)
