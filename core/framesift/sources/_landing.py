"""Proof of what a download is, once it has landed."""

from __future__ import annotations

import warnings
from pathlib import Path

import av
from PIL import Image

from framesift.errors import DownloadError, VideoTooLargeError
from framesift.types.video import CONTAINERS, PICTURES


def landed(path: Path, uri: str) -> Path:
    """Returns the file that came from `uri`: a picture under the ending of its kind, or a video.

    Raises:
        DownloadError: it is neither.
        VideoTooLargeError: it is a picture of more pixels than are safe to decode.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=tuple(PICTURES)) as picture:
                kind = "JPEG" if picture.format == "MPO" else str(picture.format)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise VideoTooLargeError(
            f"{uri!r} is a picture of more pixels than are safe to decode; scale it down"
        ) from error
    except (OSError, ValueError, SyntaxError):
        require_video(path, uri)
        return path
    return path.rename(path.with_suffix(PICTURES[kind]))


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
    return f"{uri!r} is not a video ({found}); give a direct link to a file such as MP4 or PNG"


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)
