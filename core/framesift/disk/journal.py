"""Values by key in a file that grows line by line, so that work that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from framesift.disk.writing import storing


class Journal:
    """What was worked out so far; one that is opened again has all but a line that was cut off.

    Values stay in the file, so that memory holds a few bytes for each. Several processes may add to
    one file: each line is written whole, and a key that two of them add has two equal values.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file, and makes it where there is none.

        Raises:
            StorageError: it cannot be written to.
        """
        self._path: Final = path
        self._places: Final[dict[str, int]] = {}
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b", buffering=0)
            # The file is read by a handle of its own, also once somebody else has removed it.
            self._lines: BinaryIO = path.open("rb")
            self._end_last_line()
            self._look_up()

    def get(self, key: str) -> Any:
        """Returns the value of a key, None where there is none."""
        place = self._places.get(_digest(key))
        if place is None:
            return None
        with storing(self._path):
            self._lines.seek(place)
            found = _parsed(self._lines.readline())
        return None if found is None else found[1]

    def add(self, key: str, value: Any) -> None:
        """Keeps a JSON-safe value, which is on the disk when this returns.

        Raises:
            StorageError: the disk is full, or the file cannot be written to.
        """
        line = json.dumps([_digest(key), value]).encode() + b"\n"
        with storing(self._path):
            if self._file.write(line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file.fileno())
            self._places[_digest(key)] = self._file.tell() - len(line)

    def close(self) -> None:
        """Closes the file, which stays."""
        self._file.close()
        self._lines.close()

    def remove(self) -> None:
        """Closes and removes the file, once its values are no longer needed."""
        self.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end_last_line(self) -> None:
        """Ends a line that was cut off, so that the next one is whole."""
        end = self._file.seek(0, os.SEEK_END)
        if end:
            self._file.seek(end - 1)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def _look_up(self) -> None:
        place = 0
        for line in self._lines:
            if (found := _parsed(line)) is not None:
                self._places[found[0]] = place
            place += len(line)


def _parsed(line: bytes) -> tuple[str, Any] | None:
    """Returns key and value of a line, None for one that is not whole."""
    try:
        key, value = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    return (key, value) if isinstance(key, str) else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
