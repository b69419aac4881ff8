"""Folders that a surface may read: files in them may be named, and their videos listed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from framesift.disk.writing import home_path
from framesift.fetching.limits import FetchLimits
from framesift.sources.base import open_video
from framesift.sources.file import file_path, is_folder
from framesift.sources.link_times import split_part
from framesift.sources.yt_dlp import YtDlp
from framesift.types.video import LocalVideo


class AllowedFolders:
    """Folders whose files text from a stranger may name, where it may name no others."""

    def __init__(self, folders: Sequence[str | os.PathLike[str]] = ()) -> None:
        """Takes the folders.

        Raises:
            InvalidOptionError: one is not a path.
        """
        self._folders = tuple(home_path(folder, "folder").resolve() for folder in folders)

    def opened(self, video: str) -> str | LocalVideo:
        """Returns a file of an allowed folder opened, and any other address as it is.

        Raises:
            InvalidOptionError: the part that the address selects holds nothing.
            SourceError: there is no such file.
        """
        address, part_seconds = split_part(video)
        try:
            path = file_path(address).resolve()
            inside = any(map(path.is_relative_to, self._folders))
            # A page such as `youtu.be/ID` is a path too, and within the folder that one works in.
            if not inside or (not path.exists() and YtDlp().matches(f"https://{address}")):
                return video
        except (OSError, RuntimeError, ValueError):
            return video
        return replace(open_video(path), part_seconds=part_seconds)


def folder_of(source: str | Path, limits: FetchLimits) -> Path | None:
    """Returns the folder that a path names, None for a file, a link, or text that may name none.

    Args:
        source: a path or a link; a `Path` may always be looked at.
        limits: say whether text may name files.
    """
    if source == "":
        return None  # not the folder that one works in
    may_look = isinstance(source, Path) or (limits.allow_files and "://" not in source)
    return file_path(str(source)) if may_look and is_folder(str(source)) else None
