"""Files that are named by a hash of what they hold, so that equal contents are one file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from framesift.disk.writing import as_path, write_atomically


def save_content(content: bytes, folder: str | os.PathLike[str], suffix: str) -> Path:
    """Returns the file in `folder` that holds `content`, named by a hash of it.

    Args:
        content: of the file; where it is there already nothing is written.
        folder: made where it is not there.
        suffix: of the name, such as `".jpg"`.

    Raises:
        StorageError: the folder cannot be written to.
    """
    path = as_path(folder, "folder") / f"{_digest(content)}{suffix}"
    return path if holds(path, content) else write_atomically(path, content)


def saved_content(name: str, folder: str | os.PathLike[str]) -> bytes | None:
    """Returns what `save_content` wrote under this name; None where no such file is whole.

    A name may come from a stranger: only a file whose name is the hash of what it holds is read.
    """
    path = as_path(folder, "folder") / Path(name).name
    try:
        content = path.read_bytes() if path.is_file() else None
    except (OSError, ValueError):
        return None
    return content if content is not None and _digest(content) == path.stem else None


def holds(path: Path, content: bytes) -> bool:
    """Returns whether a file is there and whole: it has this content."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
