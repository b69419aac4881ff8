"""What the header of a video file says: title, author, date, description, chapters and length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import av

from framesift.errors import SourceError
from framesift.sources._facts import iso_date, line, lines, marks
from framesift.types.text import file_address
from framesift.types.video import CONTAINERS, LocalVideo, TimedText
from framesift.types.video_list import ListedVideo

_UPLOADERS: Final = ("artist", "author", "uploader", "album_artist", "composer")
_DATES: Final = ("date", "creation_time", "com.apple.quicktime.creationdate")
_DESCRIPTIONS: Final = ("description", "synopsis", "comment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What a file says of itself; any of it may be missing."""

    title: str | None
    uploader: str | None
    date: str | None
    description: str | None
    chapters: tuple[TimedText, ...]
    duration_seconds: float | None


def read_tags(path: Path) -> Tags:
    """Returns what the header of a file says; no packet is decoded.

    Raises:
        SourceError: it is not a video, or one of a kind that cannot be decoded.
    """
    if not path.is_file():
        raise SourceError(f"{path.name!r} is not a regular file; give a video file")
    try:
        with av.open(
            f"file:{path}",
            options={
                "format_whitelist": CONTAINERS,
                "protocol_whitelist": "file",
                "max_pixels": "1",
            },
            metadata_errors="replace",
        ) as container:
            _check_stream(container, path)
            return _tags(container)
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        reason = getattr(error, "strerror", None) or "no known video container"
        raise SourceError(
            f"{path.name!r} cannot be opened as a video: {reason}; give a complete video file"
        ) from error


def with_tags(video: LocalVideo) -> LocalVideo:
    """Returns a video with what its file says of it, where its source says nothing."""
    if video.path is None:
        return video
    try:
        tags = read_tags(video.path)
    except SourceError:
        return video  # a picture, or what a decoder refuses in words of its own
    return replace(
        video,
        title=video.title or tags.title,
        uploader=video.uploader or tags.uploader,
        date=video.date or tags.date,
        description=video.description or tags.description,
        chapters=video.chapters or tags.chapters,
    )


def _check_stream(container: Any, path: Path) -> None:
    covers = av.stream.Disposition.attached_pic
    moving = [s for s in container.streams.video if not s.disposition & covers]
    if not moving:
        raise SourceError(f"{path.name!r} has no video stream; give a video file")
    if not any(stream.codec_context is not None for stream in moving):
        raise SourceError(
            f"{path.name!r} has a video of a codec that cannot be decoded; convert it, for example "
            "to H.264"
        )


def _tags(container: Any) -> Tags:
    said: Mapping[str, Any] = {key.lower(): value for key, value in container.metadata.items()}

    def first(names: tuple[str, ...], read: Any) -> Any:
        return next(filter(None, (read(said.get(name)) for name in names)), None)

    duration = container.duration
    return Tags(
        title=line(said.get("title")),
        uploader=first(_UPLOADERS, line),
        date=first(_DATES, iso_date),
        description=first(_DESCRIPTIONS, lines),
        chapters=marks(
            (
                float(mark["start"] * mark["time_base"]),
                float(mark["end"] * mark["time_base"]),
                mark.get("metadata", {}).get("title"),
            )
            for mark in container.chapters()
        ),
        duration_seconds=duration / av.time_base if duration and duration > 0 else None,
    )


def listed_file(path: Path) -> ListedVideo:
    """Returns a file of this machine as its header describes it."""
    address = file_address(path)
    try:
        tags = read_tags(path)
    except SourceError as error:
        return ListedVideo(uri=address, problem=str(error))
    return ListedVideo(uri=address, title=tags.title, duration_seconds=tags.duration_seconds)
