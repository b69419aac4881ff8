"""Videos on this machine."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

from framesift.errors import ForbiddenAddressError, SourceError, UnsupportedSourceError
from framesift.sources._timed_text import parse_timed_text
from framesift.sources.base import FetchLimits, Source
from framesift.types.video import LocalVideo, TimedText

logger = logging.getLogger(__name__)

MAX_SIDECAR_BYTES: Final = 16 * 1024**2


@dataclass(frozen=True, kw_only=True)
class File(Source):
    """Opens paths and file:// URIs where they lie; nothing is copied.

    Subtitles come from `NAME.srt` or `NAME.vtt` beside the video.
    """

    summary: ClassVar[str] = "paths and file:// URIs on this machine, with subtitles beside them"

    def matches(self, uri: str) -> bool:
        """Returns whether `uri` is a file:// URI, or has no scheme at all."""
        return uri.lower().startswith("file:") or ("://" not in uri and not uri.startswith("data:"))

    def open(self, uri: str, limits: FetchLimits, *, text_only: bool = False) -> LocalVideo:
        """Returns the file itself; closing it removes nothing.

        Raises:
            ForbiddenAddressError: `limits` do not allow files.
            SourceError: there is no such file, or nothing in it.
        """
        if not limits.allow_files:
            raise ForbiddenAddressError(
                f"{uri[:200]!r} names a file of this machine; text may name links only; give an "
                "http(s):// link, a Path object, or set FetchLimits(allow_files=True)"
            )
        path = _readable_file(file_path(uri), uri)
        return LocalVideo(path=None if text_only else path, uri=uri, subtitles=_sidecar(path))


def file_path(uri: str) -> Path:
    """Returns the path that a text means, whether there is such a file or not.

    Raises:
        UnsupportedSourceError: it is a file:// URI that names another host.
    """
    if not uri.lower().startswith("file:"):
        return Path(uri).expanduser()
    parts = urlsplit(uri)
    if parts.netloc.lower() not in ("", "localhost"):
        raise UnsupportedSourceError(
            f"{uri!r} names the host {parts.netloc!r}; a file:// URI must be on this machine; "
            "write file:///PATH"
        )
    return Path(unquote(parts.path))


def _readable_file(path: Path, uri: str) -> Path:
    try:
        found = path.stat() if path.exists() else None
    except (OSError, ValueError) as error:
        raise SourceError(f"{uri[:200]!r} cannot be read: {error}; give a video file") from error
    if found is None:
        raise SourceError(f"{uri!r} does not exist; give the path of a video file")
    if not path.is_file():
        raise SourceError(f"{uri!r} is not a regular file; give the path of a video file")
    if found.st_size == 0:
        raise SourceError(f"{uri!r} is empty; give a video file")
    return path


def _sidecar(path: Path) -> tuple[TimedText, ...]:
    for beside in (path.with_suffix(".srt"), path.with_suffix(".vtt")):
        if beside.is_file() and beside.stat().st_size <= MAX_SIDECAR_BYTES:
            try:
                return parse_timed_text(beside.read_text(encoding="utf-8", errors="replace"))
            except (OSError, ValueError) as error:
                logger.warning("the subtitles in %r were left out: %s", str(beside), error)
    return ()
