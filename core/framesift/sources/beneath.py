"""Files beneath a folder, opened name by name: no link is followed, and what was checked is open.

A path is looked up anew each time that it is used, so a check of a path says nothing of what is
opened by it later. Here every folder on the way is opened from the one above it, and the file is
checked once it is open. Where the system opens nothing relative to a folder, as Windows, the file
is looked at by its path.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import ENXIO
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import Final

CAN_WALK: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = _FLAGS | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
"""A folder on the way may be one that may be passed but not listed."""
_FILE: Final = _FLAGS | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""A pipe that nobody writes to opens at once, so that it can be refused."""


MOST_LEVELS: Final = 32
"""Folders within folders that are listed; each of them is held open meanwhile."""


class LinkError(OSError):
    """A name on the way to a file is a link."""


class NoFileError(OSError):
    """What is there is no file: a folder, a pipe, a device."""


@contextmanager
def folder_beneath(top: Path, names: Sequence[str] = ()) -> Iterator[int | None]:
    """Gives the folder that `names` lead to from `top`, open; None where nothing can be opened so.

    Args:
        top: an absolute path without links.
        names: of one folder within the other, none of them `..`.

    Raises:
        LinkError: one of all these is a link.
        OSError: there is no such folder, or it may not be passed.
    """
    if not CAN_WALK:
        yield None
        return
    handle = os.open(top.anchor, _FOLDER)
    try:
        for name in (*top.parts[1:], *names):
            deeper = _opened(name, _FOLDER, handle)
            os.close(handle)
            handle = deeper
        yield handle
    finally:
        os.close(handle)


def regular_file(name: str | Path, folder: int | None = None) -> io.FileIO:
    """Returns a file that was opened to be read.

    Args:
        name: in `folder`, or a path where that is None, whose links are followed.
        folder: an open folder.

    Raises:
        LinkError: the name in the folder is a link.
        NoFileError: it is no file.
        OSError: it is not there, or may not be read.
    """
    flags = _FILE if folder is not None else _FILE & ~getattr(os, "O_NOFOLLOW", 0)
    handle = _opened(str(name), flags | getattr(os, "O_BINARY", 0), folder)
    if S_ISREG(os.fstat(handle).st_mode):
        return io.FileIO(handle)
    os.close(handle)
    raise NoFileError(f"{str(name)!r} is no file")


@dataclass(slots=True)
class FileNames:
    """The names of files beneath a folder."""

    found: list[str] = field(default_factory=list)
    """Paths from the folder on, those of one folder together."""
    closed: list[str] = field(default_factory=list)
    """Folders that may not be listed, or lie too deep."""
    looked_at: int = 0
    """How many names were looked at, up to the most that was allowed."""


def names_beneath(top: Path, most: int) -> FileNames:
    """Returns the names of all files beneath a folder; links and pipes are neither shown nor used.

    Args:
        top: an absolute path without links.
        most: how many names are looked at.

    Raises:
        LinkError: a part of `top` is a link.
        OSError: there is no such folder, or it may not be listed.
    """
    names = FileNames()
    with folder_beneath(top) as handle:
        if handle is None:
            _look(names, top, "", most)
            return names
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=handle)
        try:
            _look(names, listed, "", most)
        finally:
            os.close(listed)
    return names


def _look(names: FileNames, folder: int | Path, within: str, most: int) -> None:
    """Adds the files in an open folder, then those in its folders."""
    deeper = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if names.looked_at >= most:
                return
            names.looked_at += 1
            if entry.is_dir(follow_symlinks=False):
                deeper.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                names.found.append(within + entry.name)
    for name in sorted(deeper):
        path = within + name
        if path.count("/") >= MOST_LEVELS:
            names.closed.append(path)
            continue
        try:
            if isinstance(folder, Path):
                _look(names, folder / name, f"{path}/", most)
                continue
            below = _opened(name, _FLAGS | os.O_DIRECTORY, folder)
        except OSError:  # gone since, or not ours to list
            names.closed.append(path)
            continue
        try:
            _look(names, below, f"{path}/", most)
        finally:
            os.close(below)


def state_beneath(top: Path, names: Sequence[str]) -> os.stat_result:
    """Returns the state of a file beneath a folder, of a link that of itself.

    Raises:
        LinkError: a folder on the way is a link.
        OSError: there is no such file.
    """
    with folder_beneath(top, names[:-1]) as handle:
        if handle is None:
            return top.joinpath(*names).lstat()
        return os.stat(names[-1], dir_fd=handle, follow_symlinks=False)


def _opened(name: str, flags: int, folder: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if folder is not None and _is_link(name, folder):
            raise LinkError(f"{name!r} is a link") from error
        if error.errno == ENXIO:
            raise NoFileError(f"{name!r} is a socket") from error
        raise


def _is_link(name: str, folder: int) -> bool:
    try:
        return S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except (OSError, ValueError):
        return False
