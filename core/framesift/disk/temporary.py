"""Temporary folders of our own: the one place where they are made, removed and swept.

A folder is locked as long as the process that made it lives. The kernel drops the lock with the
process, however that ends, so a folder of ours that can be locked belongs to nobody any more and
the next process sweeps it. Reused process ids and containers that share a disk change nothing.
"""

from __future__ import annotations

import atexit
import mmap
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from framesift.errors import FramesiftError, StorageError

if sys.platform != "win32":  # There nothing is locked, so nothing is swept.
    import fcntl

PREFIX: Final = "framesift-run-"
_OURS: Final = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")
"""Exactly what `new_folder` makes; a cache or a user's own folder is never swept."""

_REMOVAL_TRIES: Final = 5
"""A thread that is still at work may write a file while the folder is being emptied."""
_held: dict[Path, int | None] = {}
"""The folders of this process, with the open handles that lock them.

A folder is in here from before it exists until after it is gone, so whatever interrupts the work,
`remove_all` knows it.
"""
_swept: set[Path] = set()
"""Where this process has swept already."""


def new_folder() -> Path:
    """Returns a new folder that only this user can read; `remove` or the process's end takes it.

    The first call sweeps what processes that were killed have left beside it.

    Raises:
        StorageError: no folder for temporary files can be written to.
    """
    with storage_errors():
        parent = Path(tempfile.gettempdir()).absolute()
        if parent not in _swept:
            _swept.add(parent)
            sweep(parent)
        while True:
            folder = parent / f"{PREFIX}{secrets.token_hex(4)}"
            _held[folder] = None
            try:
                folder.mkdir(mode=0o700)
                _held[folder] = _lock(folder)
            except FileExistsError:  # another's: forgotten, not removed
                del _held[folder]
                continue
            except BaseException:
                with suppress(OSError):
                    folder.rmdir()  # `remove` needs a file handle, and there may be none left
                remove(folder)
                raise
            if folder.is_dir():
                return folder
            remove(folder)  # another process swept it before it was locked


def remove(folder: Path) -> None:
    """Removes a folder and what is in it; safe to call twice.

    What cannot be removed yet, such as an open file on Windows, is tried again when the process
    ends.
    """
    for _ in range(_REMOVAL_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            break
    else:
        return
    handle = _held.pop(folder, None)
    if handle is not None:
        os.close(handle)


def remove_all() -> None:
    """Removes every folder that this process still has."""
    for folder in list(_held):
        remove(folder)


@contextmanager
def kept_on_success() -> Iterator[Path]:
    """Yields a new folder that any exception removes.

    Raises:
        StorageError: it cannot be made, or what is written to it finds no room.
    """
    folder = new_folder()
    try:
        with storage_errors():
            yield folder
    except BaseException:
        remove(folder)
        raise


def mapped_memory(size_bytes: int) -> mmap.mmap:
    """Returns memory that a file of ours stands for, so that the system need not hold all of it.

    Raises:
        StorageError: the file cannot be made, or finds no room.
    """
    with kept_on_success() as folder, (folder / "memory").open("w+b") as file:
        # A full disk is an error here; in the middle of the memory it would end the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size_bytes)
        else:
            file.truncate(size_bytes)
        memory = mmap.mmap(file.fileno(), size_bytes)
    remove(folder)  # the memory stays; where an open file cannot be removed, the process's end does
    return memory


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns what the file system raises over temporary files into one line.

    Raises:
        StorageError: instead of an error of the operating system.
    """
    try:
        yield
    except FramesiftError:
        raise
    except OSError as error:
        if error.errno is None:  # raised by Python code, such as a listener that ends the work
            raise
        raise storage_error(error.errno) from error


def storage_error(errno: int) -> StorageError:
    """Returns the error that says in one line why temporary files cannot be written."""
    error = StorageError(
        f"the folder for temporary files cannot be used ({os.strerror(errno)}); make room there, "
        "or set TMPDIR to a folder with room that may be written to",
        to_caller=f"the server has no room for temporary files ({os.strerror(errno)}); try again "
        "later, give a smaller video, or tell whoever runs the server",
    )
    error.errno = errno
    return error


def sweep(parent: Path | None = None) -> list[Path]:
    """Returns the folders in `parent` that dead processes of this user left, now removed.

    Args:
        parent: where they lie; by default where `new_folder` makes them.
    """
    if sys.platform == "win32":
        return []
    parent = parent or Path(tempfile.gettempdir())
    swept = []
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name) and _swept_away(Path(entry.path)):
                swept.append(Path(entry.path))
    return swept


def _swept_away(folder: Path) -> bool:
    """Returns whether a folder was this user's and nobody's any more; then it is removed."""
    if sys.platform == "win32":
        return False
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if os.fstat(handle).st_uid != os.getuid():
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # locked by the living, or a file system without locks
        return False
    finally:
        os.close(handle)
    return True


def _lock(folder: Path) -> int | None:
    """Returns the handle that locks a folder; on systems without locks nothing is swept either."""
    if sys.platform == "win32":
        return None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # swept already
        return None
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _forget_the_parents() -> None:
    """In a forked child: its parent's folders are the parent's to remove."""
    for handle in _held.values():
        if handle is not None:
            os.close(handle)
    _held.clear()


atexit.register(remove_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents)
