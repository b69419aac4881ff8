"""Files that are whole or absent, and folders that one process writes to at a time."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakValueDictionary, finalize

from framesift.errors import FramesiftError, InvalidOptionError, StorageError

if sys.platform != "win32":  # There files are whole too; the last writer of a folder wins.
    import fcntl
if TYPE_CHECKING:
    from pydantic import BaseModel

_PART: Final = re.compile(r"\..{1,230}\.\d+\.\d+\.part", re.DOTALL)
_YOUNG_SECONDS: Final = 10.0
"""Age below which an unfinished file may be one whose writer has no lock yet."""
_swept: set[Path] = set()
"""Folders where this process has swept."""
_LONGEST_NAME: Final = 100
"""Letters of a file's name that its unfinished version repeats: names end at 255 bytes."""


def as_path(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Returns a path that was given as text or as a path.

    Raises:
        InvalidOptionError: it is neither, it is empty, or no file system takes it.
    """
    given: Any = path
    text = os.fspath(given) if isinstance(given, os.PathLike) else given
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidOptionError(
            f"{name}={given!r} must be the path of a file or folder, as text or pathlib.Path"
        )
    return Path(text)


def home_path(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Returns what `as_path` does, with `~` and `~USER` at its start replaced by the home folder.

    Raises:
        InvalidOptionError: it is not a path, or there is no such user.
    """
    given = as_path(path, name)
    try:
        return given.expanduser()
    except RuntimeError as error:
        raise InvalidOptionError(
            f"{name}={str(given)!r} names the home folder of a user that does not exist"
        ) from error


def write_atomically(
    path: str | os.PathLike[str], content: bytes | Iterable[bytes | memoryview]
) -> Path:
    """Returns `path` after moving a finished file there; missing folders are made.

    `content` is the whole or its pieces, which are then never in memory together.

    The unfinished file lies beside it, as `.NAME.PROCESS.THREAD.part`, locked while its writer
    lives; what was at `path` stays until the new content is on the disk. The first file of a folder
    sweeps what writers that were killed have left there.

    Raises:
        StorageError: the disk is full, or the place cannot be written to.
    """
    path = as_path(path)
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if (place := path.parent.resolve()) not in _swept:
            _swept.add(place)
            sweep(place)
        stem = path.name[:_LONGEST_NAME] if len(os.fsencode(path.name)) > 200 else path.name
        part = path.parent / f".{stem}.{os.getpid()}.{get_ident()}.part"
        try:
            with part.open("wb") as file:
                locked(file.fileno(), seconds=0)
                file.writelines((content,) if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return path


def sweep(folder: Path, *, young_seconds: float = _YOUNG_SECONDS) -> list[Path]:
    """Returns the unfinished files in `folder` whose writers are dead, now removed.

    Args:
        folder: beneath it nothing is looked at.
        young_seconds: age below which they stay; 0 for one that only the caller writes to.
    """
    if sys.platform == "win32":
        return []
    swept = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name) and _is_dead(entry.path, young_seconds):
                with suppress(OSError):
                    Path(entry.path).unlink()
                    swept.append(Path(entry.path))
    return swept


def _is_dead(part: str, young_seconds: float) -> bool:
    """Returns whether nobody holds the lock of an unfinished file that is not young."""
    if sys.platform == "win32":
        return False
    try:
        handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return time.time() - os.fstat(handle).st_mtime >= young_seconds
    finally:
        os.close(handle)


def json_bytes(model: BaseModel) -> bytes:
    """Returns a model as JSON in ASCII, so that a file name that is not UTF-8 is read back too."""
    return json.dumps(model.model_dump(mode="json"), indent=2).encode()


def json_value(content: bytes) -> Any:
    """Returns the value of a JSON file, None if it is not JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def read_file(
    path: str | os.PathLike[str],
    *,
    most_bytes: int | None = None,
    hint: str = "give the path of a file",
) -> bytes:
    """Returns the content of an ordinary file, not of a folder, a pipe or a device.

    Raises:
        StorageError: there is none, it cannot be read, or it is longer than `most_bytes`.
    """
    path = as_path(path)
    try:
        if not path.is_file():
            raise StorageError(f"{str(path.parent)!r} holds no file {path.name!r}; {hint}")
        size = path.stat().st_size
        if most_bytes is not None and size > most_bytes:
            raise StorageError(f"{str(path)!r} has {size:,} bytes; at most {most_bytes:,} are read")
        return path.read_bytes()
    except StorageError:
        raise
    except (OSError, ValueError) as error:
        raise StorageError(f"{str(path)!r} could not be read ({error}); {hint}") from error


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns what the file system raises while `path` is written into one line.

    Raises:
        StorageError: instead of any `OSError` within.
    """
    try:
        yield
    except FramesiftError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StorageError(
            f"{str(path)!r} could not be written ({reason}); make room there, or give another place"
        ) from error


@contextmanager
def writing_to(folder: Path, *, wait_seconds: float = 60.0) -> Iterator[None]:
    """Keeps other processes and threads that write results to `folder` out until it ends.

    The lock is the folder's own, so no file is left behind and a writer that dies releases it.

    Args:
        folder: made where it is not there.
        wait_seconds: how long another writer is waited for.

    Raises:
        StorageError: the folder cannot be made, or somebody has been writing for too long.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    try:
        if handle is not None and not locked(handle, wait_seconds):
            how = f"has been writing to {str(folder)!r} for {wait_seconds:g} s"
            if not wait_seconds:
                how = f"is writing to {str(folder)!r}"
            raise StorageError(f"another process {how}; wait for it, or give another folder")
        sweep(folder)
        yield
    finally:
        if handle is not None:
            os.close(handle)


class FileLock:
    """Keeps other processes from writing to a file, as long as somebody here holds it.

    It is the lock of the file itself, so that no other file is left behind, and a process that dies
    releases it. Whoever asks for it again within this process gets the same one.
    """

    _ours: ClassVar[WeakValueDictionary[Path, FileLock]] = WeakValueDictionary()
    _guard: ClassVar[Lock] = Lock()

    def __init__(self, handle: int) -> None:
        finalize(self, os.close, handle)

    @classmethod
    def of(cls, path: Path) -> FileLock:
        """Returns the lock of a file, which is made, empty, if it does not exist.

        Raises:
            StorageError: another process holds it, or the file cannot be written to.
        """
        with storing(path), cls._guard:
            path.parent.mkdir(parents=True, exist_ok=True)
            place = path.resolve()
            if (ours := cls._ours.get(place)) is not None:
                return ours
            handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
            if not locked(handle, seconds=0):
                os.close(handle)
                raise StorageError(
                    f"another process is writing to {str(path)!r}; wait for it to end, or give "
                    "another file"
                )
            ours = cls._ours[place] = cls(handle)
            return ours


def locked(handle: int, seconds: float) -> bool:
    """Returns whether the lock of an open file was taken; True on file systems without locks."""
    if sys.platform == "win32":
        return True
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        except OSError:
            return True
        else:
            return True


def _sync_folder(folder: Path) -> None:
    """Makes a renamed file survive a loss of power, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
