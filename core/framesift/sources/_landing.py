"""Where downloads land: a private folder that only success keeps, and the proof of a video."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from framesift.errors import DownloadError
from framesift.types.video import CONTAINERS


@contextmanager
def landing_folder() -> Iterator[Path]:
    """Yields a new folder that only this user can read; any exception removes it."""
    folder = Path(tempfile.mkdtemp(prefix="framesift-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def require_video(path: Path, uri: str) -> None:
    """Checks that the file at `path`, which came from `uri`, is a video.

    Raises:
        DownloadError: it is something else.
    """
    try:
        with av.open(
            str(path),
            options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        ) as container:
            moving = [s for s in container.streams.video if not _is_cover(s)]
    except (av.FFmpegError, ValueError) as error:
        raise DownloadError(not_a_video(uri, "no known video container")) from error
    if not moving:
        raise DownloadError(not_a_video(uri, "no video stream"))


def not_a_video(uri: str, found: str) -> str:
    """Returns the message about a download that brought `found` instead of a video."""
    return f"{uri!r} is not a video ({found}); give a direct link to a file such as MP4 or WebM"


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)
