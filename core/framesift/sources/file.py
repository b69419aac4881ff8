"""Videos on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from errno import ENAMETOOLONG
from pathlib import Path
from stat import S_ISREG
from typing import ClassVar, Final
from urllib.parse import unquote_to_bytes

from framesift.disk import temporary
from framesift.errors import (
    ForbiddenAddressError,
    FramesiftError,
    SourceError,
    UnsupportedSourceError,
)
from framesift.fetching.limits import MAX_ADDRESS, FetchLimits
from framesift.fetching.links import split_link
from framesift.sources.base import Source
from framesift.sources.beneath import LinkError, NoFileError, folder_beneath, regular_file
from framesift.sources.timed_text import MAX_BYTES, parse_timed_text
from framesift.types.video import LocalVideo, TimedText
from framesift.types.video_list import VideoList

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
            line = (
                f"{uri[:200]!r} names a file of this machine, and only links may be named here; "
                "give an http(s):// link, or ask whoever runs this to allow files"
            )
            raise ForbiddenAddressError(
                f"{line}: framesift-mcp --folder, a pathlib.Path, or FetchLimits(allow_files=True)",
                to_caller=line,
            )
        path = _readable_file(file_path(uri), uri)
        subtitles, warnings = _sidecar(path)
        return LocalVideo(
            path=None if text_only else path, uri=uri, subtitles=subtitles, warnings=warnings
        )

    def listed(self, uri: str, limits: FetchLimits, most: int) -> VideoList:
        """Returns the file as its header describes it."""
        from framesift.sources._tags import listed_file  # reads by libav, as naming does not

        with self.open(uri, limits) as video:
            assert video.path is not None
            return VideoList(videos=(listed_file(video.path),))


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
    return Path(os.fsdecode(unquote_to_bytes(parts.path)))


def file_beneath(top: Path, names: Sequence[str], uri: str) -> LocalVideo:
    """Returns a file beneath a folder as it was opened, without following a link; close it.

    What was checked is what is read, whatever becomes of the names meanwhile. Where the system has
    no `/proc`, the file is opened once more by its path.

    Args:
        top: the folder, an absolute path without links.
        names: of the folders from there on, and of the file, none of them `..`.
        uri: what the video is called in reports and errors.

    Raises:
        SourceError: there is no such file, nothing in it, or it is or lies behind a link.
    """
    from framesift.sources._tags import with_tags  # reads by libav, as naming does not

    with _line(uri), folder_beneath(top, names[:-1]) as folder:
        if folder is None:
            path = top.joinpath(*names)
            if path.resolve(strict=True) != path:
                raise LinkError(f"{uri!r} lies behind a link")
            subtitles, warnings = _sidecar(_readable_file(path, uri))
            return LocalVideo(path=path, uri=uri, subtitles=subtitles, warnings=warnings)
        with ExitStack() as undo:
            file = undo.enter_context(regular_file(names[-1], folder))
            if os.fstat(file.fileno()).st_size == 0:
                raise SourceError(f"{uri[:200]!r} is empty; give a video file")
            path, own = top.joinpath(*names), None
            if (held := Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")).exists():
                own = temporary.new_folder()
                undo.callback(temporary.remove, own)
                path = own / path.name  # decoders and messages go by its name
                with temporary.storage_errors():
                    path.symlink_to(held)
            subtitles, warnings = _sidecar(Path(names[-1]), folder)
            video = LocalVideo(
                path=path,
                uri=uri,
                subtitles=subtitles,
                warnings=warnings,
                temporary_folder=own,
                held=file,
            )
            undo.pop_all()
            return with_tags(video)


@contextmanager
def _line(uri: str) -> Iterator[None]:
    """Turns what the system says of a file into one line.

    Raises:
        SourceError: the file cannot be opened; says why.
    """
    try:
        yield
    except FramesiftError:
        raise
    except LinkError as error:
        raise ForbiddenAddressError(
            f"{uri[:200]!r} is a link or lies behind one, and links are not followed here; give "
            "the file itself"
        ) from error
    except NoFileError as error:
        raise SourceError(
            f"{uri[:200]!r} is not a regular file; give the path of a video file"
        ) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{uri[:200]!r} does not exist; give the path of a video file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            f"{uri[:200]!r} cannot be read: {reason}; give the path of a video file"
        ) from error


def is_folder(uri: str) -> bool:
    """Returns whether a text names a folder of this machine."""
    try:
        return file_path(uri).is_dir()
    except (OSError, ValueError):
        return False


def _readable_file(path: Path, uri: str) -> Path:
    with _line(uri):
        status = path.stat()
        readable = os.access(path, os.R_OK)
    if not S_ISREG(status.st_mode):
        raise SourceError(f"{uri[:200]!r} is not a regular file; give the path of a video file")
    if status.st_size == 0:
        raise SourceError(f"{uri[:200]!r} is empty; give a video file")
    if not readable:
        raise SourceError(
            f"{uri[:200]!r} cannot be read: Permission denied; give this user the right to read it"
        )
    return path


def _sidecar(
    path: Path, folder: int | None = None
) -> tuple[tuple[TimedText, ...], tuple[str, ...]]:
    """Returns the subtitles beside a video, and a warning for each file that had to be left out.

    Args:
        path: of the video, its name alone where `folder` is given.
        folder: the folder that holds both, open: then links are not followed.
    """
    warnings: list[str] = []
    for ending in SIDECARS:
        beside = path.with_suffix(ending)
        try:
            with regular_file(beside, folder) as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise ValueError(f"they hold more than {MAX_BYTES} bytes")
            guessed: list[str] = []
            lines = parse_timed_text(content, guessed.append)
            notes = (f"the subtitles in {beside.name!r}: {line}" for line in guessed)
            return lines, (*warnings, *notes)
        except (FileNotFoundError, NotADirectoryError, NoFileError):
            continue
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno == ENAMETOOLONG:
                continue  # there cannot be such a file
            reason = getattr(error, "strerror", None) or str(error)
            warnings.append(f"the subtitles in {beside.name!r} were left out: {reason}")
    return (), tuple(warnings)
