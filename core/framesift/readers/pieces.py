"""Pieces of a reader's work that are not done twice: what a killed run read is read no more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from framesift.disk.journal import Journal

MOST_HELD: Final = 256
"""Pieces that are held in memory, where there is no file for them."""


class Pieces:
    """What a reader made of pieces of a video, by a key that says all that decides it.

    A reader asks `get` before it reads a part of a picture, or a window of sound, and tells `add`
    what it made of it, as a JSON-safe value.
    """

    def __init__(self) -> None:
        self._held: Final[OrderedDict[str, Any]] = OrderedDict()
        self._journal: Journal | None = None

    def get(self, key: str) -> Any:
        """Returns what was made of a piece, None where it was not worked on yet."""
        if self._journal is not None:
            return self._journal.get(key)
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def add(self, key: str, value: Any) -> None:
        """Keeps what was made of a piece; in a file it is on the disk when this returns.

        Raises:
            StorageError: the file cannot be written to.
        """
        if self._journal is not None:
            self._journal.add(key, value)
            return
        self._held[key] = value
        while len(self._held) > MOST_HELD:
            self._held.popitem(last=False)

    @contextmanager
    def kept_in(self, path: Path) -> Iterator[None]:
        """Keeps pieces in a file, which is removed where the block ends without an error.

        Raises:
            StorageError: the file cannot be written to.
        """
        with Journal(path) as journal:
            self._journal = journal
            try:
                yield
            finally:
                self._journal = None
            journal.remove()
