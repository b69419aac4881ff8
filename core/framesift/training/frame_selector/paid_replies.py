"""Replies that were paid for: kept as soon as they come, so that no request is paid for twice."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from framesift.disk.writing import FileLock
from framesift.training.frame_selector.label_file import append, mended_lines


class PaidReply(BaseModel):
    """What was read of the reply to one request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """Digest of the request."""
    value: Any


class PaidReplies:
    """Replies in a file beside the labels, which holds all that a run that was killed had got."""

    def __init__(self, path: Path) -> None:
        """Reads the file, and makes it where there is none; a line that was cut off is removed.

        Raises:
            InvalidOptionError: it holds something else.
            StorageError: another process writes to it, or it cannot be written to.
        """
        self._path: Final = path
        self._file_lock: Final = FileLock.of(path)
        self._values: Final = {line.key: line.value for line in mended_lines(PaidReply, path)}
        self._lock: Final = Lock()

    @classmethod
    def beside(cls, labels: Path) -> PaidReplies:
        """Returns the replies that belong to a file of labels."""
        return cls(labels.with_name(f"{labels.name}.replies"))

    def get(self, key: str) -> Any:
        """Returns what was replied to a request, None where nothing was."""
        return self._values.get(key)

    def add(self, key: str, value: Any) -> None:
        """Keeps a reply, which is on the disk when this returns."""
        with self._lock:
            append(self._path, PaidReply(key=key, value=value))
            self._values[key] = value
