"""Temporary folders of our own: the one place where they are made, removed and swept.

A folder is locked as long as the process that made it lives. The kernel drops the lock with the
process, however that ends, so a folder of ours that can be locked belongs to nobody any more and
the next process sweeps it. Reused process ids and containers that share a disk change nothing.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final

from framesift.errors import FramesiftError, StorageError

if sys.platform != "win32":  # There nothing is locked, so nothing is swept.
    import fcntl

PREFIX: Final = "framesift-run-"
_OURS: Final = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")
"""Exactly what `mkdtemp` makes of the prefix; a cache or a user's own folder is never swept."""

_mutex = Lock()
_held: dict[Path, int | None] = {}
"""The folders of this process, with the open handles that lock them."""
_swept: set[str] = set()
"""Where this process has swept already."""


def new_folder() -> Path:
    """Returns a new folder that only this user can read; `remove` or the process's end takes it.

    The first call sweeps what processes that were killed have left beside it.

    Raises:
        StorageError: no folder for temporary files can be written to.
    """
    with storage_errors():
        parent = tempfile.gettempdir()
        _sweep_once(parent)
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            try:
                handle = _lock(folder)
            except BaseException:
                with suppress(OSError):
                    folder.rmdir()
                raise
            with _mutex:
                _held[folder] = handle
            if folder.is_dir():
                return folder
            remove(folder)  # somebody swept it before the lock was had


def remove(folder: Path) -> None:
    """Removes a folder and what is in it; safe to call twice."""
    with _mutex:
        handle = _held.pop(folder, None)
    shutil.rmtree(folder, ignore_errors=True)
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
        "or set TMPDIR to a folder with room that may be written to"
    )
    error.errno = errno
    return error


def sweep(parent: Path) -> list[Path]:
    """Returns the folders in `parent` that dead processes of this user left, now removed."""
    if sys.platform == "win32":
        return []
    swept = []
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name) and _swept_away(Path(entry.path)):
                swept.append(Path(entry.path))
    return swept


def _sweep_once(parent: str) -> None:
    with _mutex:
        known = parent in _swept
        _swept.add(parent)
    if not known:
        sweep(Path(parent))


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
    """Returns the handle that locks a folder; where there are no locks, nobody sweeps either."""
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
    global _mutex
    _mutex = Lock()
    for handle in _held.values():
        if handle is not None:
            os.close(handle)
    _held.clear()


atexit.register(remove_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents)
