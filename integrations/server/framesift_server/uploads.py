"""Videos that clients brought, in a folder that goes with the server."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final

from framesift import LocalVideo
from framesift.disk import temporary
from framesift.errors import UnknownNameError
from framesift.fetching.parts import split_part

PREFIX: Final = "upload:"


class Uploads:
    """The last uploads; a new one may push out the oldest."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        """Takes an empty folder, and how many uploads stay in it."""
        self._folder, self._keep = folder, keep
        self._paths: dict[str, Path] = {}
        self._lock = Lock()

    def save(self, content: BinaryIO) -> str:
        """Returns the name under which `content` is opened again."""
        uri = f"{PREFIX}{secrets.token_hex(8)}"
        path = self._folder / uri.removeprefix(PREFIX)
        try:
            with temporary.storage_errors(), path.open("wb") as file:
                shutil.copyfileobj(content, file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        with self._lock:
            self._paths[uri] = path
            too_many = list(self._paths)[: -self._keep]
        for oldest in too_many:
            self.remove(oldest)
        return uri

    def find(self, uri: str) -> LocalVideo | None:
        """Returns the upload that a request names, None where it names something else.

        Raises:
            UnknownNameError: there is no such upload, or no longer.
            InvalidOptionError: the part of it that is meant holds nothing.
        """
        if not uri.startswith(PREFIX):
            return None
        uri, part_seconds = split_part(uri)
        path = self._paths.get(uri)
        if path is None:
            raise UnknownNameError(
                f"{uri[:80]!r} is no upload of this server, or none any more; upload again"
            )
        return LocalVideo(path=path, uri=uri, part_seconds=part_seconds)

    def remove(self, uri: str) -> None:
        """Removes an upload; one that is not there is no error."""
        with self._lock:
            path = self._paths.pop(uri, None)
        if path is not None:
            path.unlink(missing_ok=True)
