"""Where the results of a batch lie: a folder of this machine, or a place of an object store.

    OUT/
      batch.json                 what the batch is: task, options, version of the layout
      rows/3f/3f9c....json       one file for each finished video; where it is, the video is done
      files/a0/a04b....jpg       tokens, reports and pictures, named by the hash of what they hold
      stretches/3f9c.../          tokens of parts of long videos whose row is not there yet
      data/part-00000.parquet    the rows as a dataset, made anew at the end of each run
      data/part-00001.parquet

A row is written after all files that it names, and each file is whole or absent. So a run that is
killed leaves finished videos and nothing else, and the next one goes on with the rest.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from framesift.disk.temporary import mapped_memory
from framesift.disk.tensors import TensorFile
from framesift.disk.writing import home_path, read_file, storing, sweep, write_atomically
from framesift.errors import InvalidOptionError, StorageError
from framesift.registry import require
from framesift.sources.file import file_path

ROWS, FILES, DATA, STRETCHES = "rows", "files", "data", "stretches"
_DIGITS: Final = 32


class ResultError(StorageError):
    """A result cannot be written, so no other one could be either; the run ends."""


class Store(ABC):
    """Files under one place, by names with `/` between their parts."""

    place: str
    """The place, as it was given."""

    @abstractmethod
    def write(self, name: str, content: bytes | Iterable[bytes | memoryview]) -> None:
        """Writes a file, whole or not at all; given in pieces, these are never held together.

        Raises:
            ResultError: it cannot be written.
        """

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Returns what a file holds; None where it is not there.

        Raises:
            StorageError: it cannot be read.
        """

    def mapped(self, name: str) -> mmap.mmap | None:
        """Returns what a file holds, in memory that a file stands for; None where it is not there.

        Raises:
            StorageError: it cannot be read.
        """
        if (content := self.read(name)) is None:
            return None
        memory = mapped_memory(len(content))
        memory.write(content)
        return memory

    @abstractmethod
    def has(self, name: str) -> bool:
        """Returns whether a file is there."""

    @abstractmethod
    def names(self, folder: str) -> Iterator[str]:
        """Yields the names of the files in a folder and those beneath, from the place on."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""

    def sweep(self) -> None:  # noqa: B027  # where a put is whole by itself there is nothing
        """Removes what writers that were killed have left unfinished."""

    def clear(self, folder: str) -> None:
        """Removes a folder and all that is in it, if it is there."""
        for name in list(self.names(folder)):
            self.remove(name)

    def keep(self, content: bytes | TensorFile, suffix: str) -> str:
        """Returns the name of the file that holds `content`, written if it is not there yet."""
        digest = digest_of(content)
        name = f"{FILES}/{digest[:2]}/{digest}{suffix}"
        if not self.has(name):
            self.write(name, content if isinstance(content, bytes) else content.pieces())
        return name


def store_of(place: str | Path) -> Store:
    """Returns the store of a folder, or of a URI of an object store, such as `s3://bucket/out`.

    Raises:
        InvalidOptionError: pyarrow knows no such place.
        MissingDependencyError: pyarrow is not installed.
    """
    if isinstance(place, str) and "://" in place:
        return _Folder(file_path(place)) if place[:7].lower() == "file://" else _Remote(place)
    return _Folder(home_path(place, "out"))


class _Folder(Store):
    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, str(folder)

    def write(self, name: str, content: bytes | Iterable[bytes | memoryview]) -> None:
        try:
            write_atomically(self.folder / name, content)
        except StorageError as error:
            raise ResultError(
                f"{error}; what is finished stays, and the same run goes on"
            ) from error

    def read(self, name: str) -> bytes | None:
        path = self.folder / name
        return read_file(path) if path.exists() else None

    def mapped(self, name: str) -> mmap.mmap | None:
        path = self.folder / name
        if not path.exists():
            return None
        with storing(path), path.open("rb") as file:
            # Pages that are written to are this process's own; those of the file stay.
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def names(self, folder: str) -> Iterator[str]:
        for path in sorted((self.folder / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(self.folder).as_posix()

    def remove(self, name: str) -> None:
        with storing(self.folder / name):
            (self.folder / name).unlink(missing_ok=True)

    def sweep(self) -> None:
        for folder in (self.folder, *self.folder.glob("*/"), *self.folder.glob("*/*/")):
            sweep(folder, young_seconds=0)

    def clear(self, folder: str) -> None:
        with storing(self.folder / folder), suppress(FileNotFoundError):
            shutil.rmtree(self.folder / folder)


class _Remote(Store):
    """A put of an object store is whole or absent by itself."""

    def __init__(self, place: str) -> None:
        self.place = place
        fs = require("pyarrow.fs", extra="batch")
        try:
            self._system, self._root = fs.FileSystem.from_uri(place.rstrip("/"))
        except (OSError, ValueError) as error:
            raise InvalidOptionError(
                f"out={place!r} is not a place that pyarrow opens ({error}); give a folder, or "
                "such as s3://bucket/folder"
            ) from error
        self._selector, self._missing = fs.FileSelector, fs.FileType.NotFound

    def write(self, name: str, content: bytes | Iterable[bytes | memoryview]) -> None:
        try:
            self._system.create_dir(self._at(name).rpartition("/")[0], recursive=True)
            with self._system.open_output_stream(self._at(name)) as file:
                for piece in (content,) if isinstance(content, bytes) else content:
                    file.write(piece)
        except OSError as error:
            raise self._failed(name, "written", error) from error

    def read(self, name: str) -> bytes | None:
        if not self.has(name):
            return None
        try:
            with self._system.open_input_stream(self._at(name)) as file:
                return cast(bytes, file.read())
        except OSError as error:
            raise self._failed(name, "read", error) from error

    def has(self, name: str) -> bool:
        try:
            (info,) = self._system.get_file_info([self._at(name)])
        except OSError as error:
            raise self._failed(name, "read", error) from error
        return bool(info.type != self._missing)

    def names(self, folder: str) -> Iterator[str]:
        try:
            found = self._system.get_file_info(
                self._selector(self._at(folder), allow_not_found=True, recursive=True)
            )
        except OSError as error:
            raise self._failed(folder, "listed", error) from error
        yield from sorted(info.path[len(self._root) + 1 :] for info in found if info.is_file)

    def remove(self, name: str) -> None:
        if self.has(name):
            self._system.delete_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _failed(self, name: str, what: str, error: OSError) -> ResultError:
        line = " ".join(str(error).split())
        return ResultError(f"{self.place}/{name} could not be {what} ({line}); see its access")


def digest_of(content: bytes | TensorFile) -> str:
    """Returns what names content: the first digits of its SHA-256."""
    digest = hashlib.sha256()
    for piece in (content,) if isinstance(content, bytes) else content.pieces():
        digest.update(piece)
    return digest.hexdigest()[:_DIGITS]


def row_name(video_id: str) -> str:
    """Returns the file of a video's row."""
    digest = digest_of(video_id.encode("utf-8", "surrogatepass"))
    return f"{ROWS}/{digest[:2]}/{digest}.json"


def json_content(value: Any) -> bytes:
    """Returns a value as JSON in ASCII, equal for equal values."""
    return json.dumps(value, sort_keys=True, allow_nan=False).encode()
