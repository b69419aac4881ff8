"""Results that are fetched as files: whole or absent, and the oldest make room for the new."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from framesift.errors import StorageError
from framesift.serving import write_atomically

logger = logging.getLogger(__name__)

SUFFIX: Final = ".safetensors"
NAME: Final = re.compile(rf"[0-9a-f]{{32}}\{SUFFIX}")
"""What `save` names files; nothing else in the folder is a result."""


class Results:
    """Files of tensors in one folder, which several processes may share and which outlives them."""

    def __init__(self, folder: Path, *, most: int, most_bytes: int) -> None:
        """Takes where they lie.

        Args:
            folder: made with the first result.
            most: files that are kept.
            most_bytes: room that they may take together; the newest is kept whatever its size.
        """
        self._folder, self._most, self._most_bytes = folder, most, most_bytes

    def save(self, pieces: Iterable[bytes | memoryview]) -> str:
        """Returns the name of a new file that holds these pieces; nobody can guess it.

        Raises:
            StorageError: the disk is full, or the folder cannot be written to; nothing is left.
        """
        name = f"{secrets.token_hex(16)}{SUFFIX}"
        try:
            write_atomically(self._folder / name, pieces)
        except StorageError as error:
            logger.error("a result was not kept: %s", error)
            raise StorageError(
                "this server has no room for results; come again later, or ask for the tensors "
                "themselves by 'Accept: application/x-safetensors'"
            ) from error
        self._make_room()
        return name

    def path(self, name: str) -> Path | None:
        """Returns the file of a result, None where it was never there or has made room."""
        path = self._folder / name
        return path if NAME.fullmatch(name) and path.is_file() else None

    def remove(self, name: str) -> None:
        """Removes a result; does nothing where it is gone."""
        if NAME.fullmatch(name):
            (self._folder / name).unlink(missing_ok=True)

    def _make_room(self) -> None:
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                # Another process may remove it in between.
                with suppress(FileNotFoundError):
                    if NAME.fullmatch(entry.name):
                        status = entry.stat()
                        found.append((status.st_mtime_ns, status.st_size, entry.path))
        room = self._most_bytes
        for place, (_, size, path) in enumerate(sorted(found, reverse=True)):
            room -= size
            if place and (place >= self._most or room < 0):
                Path(path).unlink(missing_ok=True)
