"""Checks that a file which was downloaded is a video or a picture."""

from __future__ import annotations

from pathlib import Path

import av

from framesift.errors import DownloadError
from framesift.types.picture import PICTURES, opened, picture_kind
from framesift.types.video import CONTAINERS


def landed(path: Path, uri: str) -> Path:
    """Returns the file that came from `uri`: a picture under the ending of its kind, or a video.

    Raises:
        DownloadError: it is neither.
    """
    kind = _picture_kind(path)
    if kind is None:
        require_video(path, uri)
        return path
    return path.rename(path.with_suffix(PICTURES[kind]))


def _picture_kind(path: Path) -> str | None:
    """Returns the format of the picture at `path`, None for a broken header or something else."""
    with path.open("rb") as file:
        kind = picture_kind(file.read(16))
        try:
            if kind is not None:
                opened(file, kind).close()
        except Exception:  # Pillow's readers raise whatever comes up
            return None
    return kind


def require_video(path: Path, uri: str) -> None:
    """Checks that the file at `path`, which came from `uri`, is a video.

    Raises:
        DownloadError: it is something else.
    """
    try:
        with av.open(
            str(path),
            options={
                "format_whitelist": CONTAINERS,
                "protocol_whitelist": "file",
                "max_pixels": "1",  # only streams are counted here, so that none is decoded
            },
            metadata_errors="replace",
        ) as container:
            covers = av.stream.Disposition.attached_pic
            moving = [s for s in container.streams.video if not s.disposition & covers]
    except (av.FFmpegError, ValueError) as error:
        raise DownloadError(not_a_video(uri, "no known video container")) from error
    if not moving:
        raise DownloadError(not_a_video(uri, "no video stream"))


def not_a_video(uri: str, content: str) -> str:
    """Returns the message about a download that brought `content` instead of a video."""
    return f"{uri!r} is not a video ({content}); give a direct link to a file such as MP4 or PNG"
