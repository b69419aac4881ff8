"""Lists the videos of folders, playlists and channels, without downloading any."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from framesift.errors import FramesiftError, InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.sources._tags import listed_file
from framesift.sources.base import source_of
from framesift.sources.file import file_path, is_folder
from framesift.types.options import shown, whole
from framesift.types.text import file_address
from framesift.types.video import with_part
from framesift.types.video_list import ListedVideo, VideoList

SUFFIXES: Final = frozenset(
    {".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogv", ".ts", ".webm", ".wmv", ".3gp"}
)
"""Endings of the files that a folder is searched for."""
MOST_FILES: Final = 100_000
"""Files of a folder that are looked at."""
Where = str | Path | Sequence[str | Path]


def list_videos(
    where: Where,
    limits: FetchLimits | None = None,
    *,
    site: SiteOptions | None = None,
    most: int = 100,
) -> VideoList:
    """Returns the videos of a folder, of a page that lists some, or one video, in their order.

    A folder is searched with the folders in it, hidden ones left out, for files with the ending of
    a video; the header of each is read. A playlist or channel is read as far as `most` goes. What
    cannot be used is in the list with its problem, so that one bad entry ends nothing.

    Args:
        where: a path, an address, or several of them.
        limits: what reading a page may cost and where it may go; whether text may name files.
        site: whose login opens a private list.
        most: videos listed; what else there is, a warning says.

    Raises:
        InvalidOptionError: `most` is below 1, or there is nothing to list.
    """
    limits, site = limits or FetchLimits(), site or SiteOptions()
    most = whole("most", most, "video")
    site.check(limits)
    places: list[object] = [where] if isinstance(where, str | Path) else list(where)
    if not places:
        raise InvalidOptionError(f"where={shown(where)} names nothing; give a path or an address")
    videos: dict[str, ListedVideo] = {}
    warnings: list[str] = []
    for number, place in enumerate(places):
        if len(videos) >= most:
            warnings.append(
                f"{len(places) - number} of {len(places)} places were not listed, since most={most}"
                " videos are; raise most, or list them alone"
            )
            break
        found = _listed(place, limits, site, most - len(videos))
        warnings += found.warnings
        for video in found:
            videos.setdefault(video.uri, video)
    return VideoList(videos=tuple(videos.values()), warnings=tuple(warnings))


def _listed(place: object, limits: FetchLimits, site: SiteOptions, most: int) -> VideoList:
    """Returns the videos of one place, or the place itself with its problem."""
    if not isinstance(place, str | Path):
        problem = f"{shown(place)} of type {type(place).__name__} is not a path or an address"
        return VideoList(videos=(ListedVideo(uri=shown(place), problem=problem),))
    may_look = isinstance(place, Path) or (limits.allow_files and "://" not in place[:20])
    if may_look and str(place).strip() and is_folder(str(place)):
        return _of_folder(file_path(str(place)), most)
    try:
        source, uri, part_seconds = source_of(place, limits, site)
        if isinstance(place, Path):
            limits = replace(limits, allow_files=True)
        found = source.listed(uri, limits, most)
        if part_seconds is None or len(found) != 1:
            return found
        (video,) = found
        part = replace(video, uri=with_part(video.uri, part_seconds))
        return VideoList(videos=(part,), warnings=found.warnings)
    except FramesiftError as error:
        uri = file_address(place) if isinstance(place, Path) else place[:200]
        return VideoList(videos=(ListedVideo(uri=uri, problem=str(error)),))


def _of_folder(folder: Path, most: int) -> VideoList:
    """Returns the videos in a folder and the folders in it, by their names."""
    warnings: list[str] = []
    paths = []
    for number, path in enumerate(_files(folder, warnings)):
        if number >= MOST_FILES:
            warnings.append(
                f"{folder.name!r} holds more than {MOST_FILES} files; list its folders alone"
            )
            break
        if path.suffix.lower() in SUFFIXES:
            paths.append(path)
    if not paths:
        warnings.append(f"{folder.name!r} holds no video; endings of videos are {_ENDINGS}")
    if len(paths) > most:
        warnings.append(
            f"{folder.name!r} holds {len(paths)} videos, of which the first {most} are listed; "
            "raise most"
        )
    return VideoList(
        videos=tuple(listed_file(path) for path in paths[:most]), warnings=tuple(warnings)
    )


_ENDINGS: Final = ", ".join(sorted(SUFFIXES))


def _files(folder: Path, warnings: list[str]) -> Iterator[Path]:
    """Yields the files of a folder and the folders in it, in the order of their names."""

    def unread(error: OSError) -> None:
        name = Path(str(error.filename)).name
        warnings.append(f"the folder {name!r} cannot be read: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=unread):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root, name)
