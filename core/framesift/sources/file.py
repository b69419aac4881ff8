"""Videos on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from errno import ENAMETOOLONG
from pathlib import Path
from stat import S_ISREG
from typing import ClassVar, Final
from urllib.parse import unquote

from framesift.errors import ForbiddenAddressError, SourceError, UnsupportedSourceError
from framesift.fetching.limits import MAX_ADDRESS, FetchLimits
from framesift.fetching.links import split_link
from framesift.sources.base import Source
from framesift.sources.timed_text import MAX_BYTES, parse_timed_text
from framesift.types.video import LocalVideo, TimedText

SIDECARS: Final = (".srt", ".vtt", ".ass", ".ssa", ".json3")


@dataclass(frozen=True, kw_only=True)
class File(Source):
    """Opens paths and file:// URIs where they lie; nothing is copied.

    Subtitles come from `NAME.srt`, or `.vtt`, `.ass`, `.ssa`, `.json3`, beside the video.
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
                f"{uri[:200]!r} names a file of this machine, and only links may be named here; "
                "give an http(s):// link, or ask whoever runs this to allow files: "
                "framesift-mcp --folder, a pathlib.Path, or FetchLimits(allow_files=True)"
            )
        path = _readable_file(file_path(uri), uri)
        subtitles, warnings = _sidecar(path)
        return LocalVideo(
            path=None if text_only else path, uri=uri, subtitles=subtitles, warnings=warnings
        )


def file_path(uri: str) -> Path:
    """Returns the path that a text means, whether there is such a file or not.

    Raises:
        UnsupportedSourceError: it is longer than any path, or a file:// URI that names another host
            or is not valid.
    """
    if len(uri) > MAX_ADDRESS:
        raise UnsupportedSourceError(
            f"{uri[:80]!r}... has {len(uri)} characters; a path has at most {MAX_ADDRESS}"
        )
    if not uri.lower().startswith("file:"):
        try:
            return Path(uri).expanduser()
        except (RuntimeError, ValueError):
            return Path(uri)  # there is no such user, so `~name` can only be a name
    parts = split_link(uri)
    if parts.netloc.lower() not in ("", "localhost"):
        raise UnsupportedSourceError(
            f"{uri[:200]!r} names the host {parts.netloc[:80]!r}; a file:// URI must be on this "
            "machine; write file:///PATH"
        )
    return Path(unquote(parts.path))


def is_folder(uri: str) -> bool:
    """Returns whether a text names a folder of this machine."""
    try:
        return file_path(uri).is_dir()
    except (OSError, ValueError):
        return False


def _readable_file(path: Path, uri: str) -> Path:
    try:
        status = path.stat()
        readable = os.access(path, os.R_OK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{uri[:200]!r} does not exist; give the path of a video file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            f"{uri[:200]!r} cannot be read: {reason}; give the path of a video file"
        ) from error
    if not S_ISREG(status.st_mode):
        raise SourceError(f"{uri[:200]!r} is not a regular file; give the path of a video file")
    if status.st_size == 0:
        raise SourceError(f"{uri[:200]!r} is empty; give a video file")
    if not readable:
        raise SourceError(
            f"{uri[:200]!r} cannot be read: Permission denied; give this user the right to read it"
        )
    return path


def _sidecar(path: Path) -> tuple[tuple[TimedText, ...], tuple[str, ...]]:
    """Returns the subtitles beside a video, and a warning for each file that had to be left out."""
    warnings: list[str] = []
    for ending in SIDECARS:
        beside = path.with_suffix(ending)
        try:
            if not beside.is_file():
                continue
            if beside.stat().st_size > MAX_BYTES:
                raise ValueError(f"they hold more than {MAX_BYTES} bytes")
            return parse_timed_text(beside.read_bytes()), tuple(warnings)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno == ENAMETOOLONG:
                continue  # there cannot be such a file
            reason = getattr(error, "strerror", None) or str(error)
            warnings.append(f"the subtitles in {beside.name!r} were left out: {reason}")
    return (), tuple(warnings)
