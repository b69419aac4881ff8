"""Videos that come as bytes and not by address: uploads of clients, files of other file systems."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from framesift.disk import temporary, writing
from framesift.errors import SourceError, UnknownNameError, VideoTooLargeError
from framesift.fetching.limits import FetchLimits
from framesift.sources.link_times import split_part
from framesift.types.video import LocalVideo

PREFIX: Final = "upload:"
_NAME_BYTES: Final = 8
_PIECE_BYTES: Final = 2**20


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

    They are files of one folder, which several processes may share and which outlives them.
    """

    def __init__(self, folder: Path, *, keep: int) -> None:
        """Removes what processes that were killed have left: unfinished files, temporary folders.

        Args:
            folder: where the uploads lie; made where it is not there.
            keep: how many are kept.

        Raises:
            StorageError: the folder cannot be made.
        """
        self._folder, self._keep = folder, keep
        with writing.storing(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writing.sweep(folder)
        temporary.sweep()

    def save(self, content: BinaryIO, *, spare: Collection[str] = ()) -> str:
        """Returns the name under which `content` is opened again.

        Args:
            content: is read to its end.
            spare: uploads that are still needed, and removed for no other.

        Raises:
            StorageError: the disk is full; nothing is left then.
        """
        writing.sweep(self._folder)
        uri = f"{PREFIX}{secrets.token_hex(_NAME_BYTES)}"
        pieces = iter(lambda: content.read(_PIECE_BYTES), b"")
        writing.write_atomically(self._path(uri), pieces)
        self._make_room({uri, *spare})
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
        if not (_is_upload(uri) and self._path(uri).is_file()):
            raise UnknownNameError(
                f"{uri[:80]!r} is not an upload of this server, or has been removed; upload again"
            )
        return LocalVideo(path=self._path(uri), uri=uri, part_seconds=part_seconds)

    def remove(self, uri: str) -> None:
        """Removes an upload; does nothing if it is gone already."""
        if _is_upload(uri):
            self._path(uri).unlink(missing_ok=True)

    def _path(self, uri: str) -> Path:
        return self._folder / uri.removeprefix(PREFIX)

    def _make_room(self, spare: Collection[str]) -> None:
        """Removes the oldest beyond those that are kept."""
        ages = {}
        for path in self._folder.iterdir():
            if _is_upload(uri := f"{PREFIX}{path.name}"):
                with suppress(FileNotFoundError):  # another process was faster
                    ages[uri] = path.stat().st_mtime_ns
        for uri in sorted(ages, key=ages.__getitem__)[: max(0, len(ages) - self._keep)]:
            if uri not in spare:
                self.remove(uri)


def _is_upload(uri: str) -> bool:
    """Returns whether an address is one that `save` gives; it cannot leave the folder then."""
    name = uri.removeprefix(PREFIX)
    return uri != name and len(name) == 2 * _NAME_BYTES and set(name) <= set("0123456789abcdef")
