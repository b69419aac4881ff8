"""Videos that come as bytes and not by address: uploads of clients, files of other file systems."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Final, Self

from framesift.disk import temporary
from framesift.errors import SourceError, UnknownNameError, VideoTooLargeError
from framesift.fetching.limits import FetchLimits
from framesift.sources.link_times import split_part
from framesift.types.video import LocalVideo

PREFIX: Final = "upload:"


def local_copy(
    uri: str, copy: Callable[[Path], object], *, size_bytes: int | None, limits: FetchLimits
) -> LocalVideo:
    """Returns the video that `copy` writes to the path it is given; closing it removes the file.

    Args:
        uri: what the video is called in reports and errors.
        copy: brings the bytes, from the file system of a framework for instance.
        size_bytes: how many they are, None if unknown.
        limits: hold how many there may be.

    Raises:
        VideoTooLargeError: there are more.
        SourceError: there is no such file, or it may not be read.
    """
    if size_bytes is not None and size_bytes > limits.max_bytes:
        raise VideoTooLargeError(
            f"{uri!r} holds {size_bytes} bytes, allowed are {limits.max_bytes}; give a smaller "
            "video or raise max_bytes"
        )
    with temporary.kept_on_success() as folder:
        path = folder / (Path(uri).name or "video")
        try:
            copy(path)
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise SourceError(f"{uri!r} cannot be read: {error}; give a video file") from error
        return LocalVideo(path=path, uri=uri, temporary_folder=folder)


class Uploads:
    """The last videos that clients have sent; a new one may push out the oldest.

    They lie in a temporary folder from the beginning of a `with` block to its end.
    """

    def __init__(self, *, keep: int) -> None:
        """Takes how many are kept."""
        self._keep = keep
        self._folder: Path | None = None
        self._paths: dict[str, Path] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._folder = temporary.new_folder()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            temporary.remove(self._folder)

    def save(self, content: BinaryIO) -> str:
        """Returns the name under which `content` is opened again.

        Raises:
            StorageError: the disk is full.
        """
        assert self._folder is not None, "uploads are saved within a with block"
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
        """Returns the upload that an address names, None where it names something else.

        Raises:
            UnknownNameError: there is no such upload, or it was removed.
            InvalidOptionError: the part that the address selects holds nothing.
        """
        if not uri.startswith(PREFIX):
            return None
        uri, part_seconds = split_part(uri)
        path = self._paths.get(uri)
        if path is None:
            raise UnknownNameError(
                f"{uri[:80]!r} is not an upload of this server, or has been removed; upload again"
            )
        return LocalVideo(path=path, uri=uri, part_seconds=part_seconds)

    def remove(self, uri: str) -> None:
        """Removes an upload; does nothing if it is gone already."""
        with self._lock:
            path = self._paths.pop(uri, None)
        if path is not None:
            path.unlink(missing_ok=True)
