"""Which videos count as the same: by address, part, and the state of the file, or by pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from pathlib import Path

from PIL.Image import Image

from framesift.compression.opening import Video
from framesift.sources.file import file_path
from framesift.sources.link_times import split_part
from framesift.types.compressed import CompressedVideo
from framesift.types.video import LocalVideo


def video_identity(video: Video) -> Hashable:
    """Returns a key that two videos share where they are the same."""
    if isinstance(video, Image):
        return video.mode, video.size, hashlib.sha256(video.tobytes()).hexdigest()
    if isinstance(video, CompressedVideo):
        # The very same object; it is held as long as this key is, so that no other has its id.
        return "compressed", id(video)
    if isinstance(video, LocalVideo):
        address, part_seconds = video.uri, video.part_seconds
    else:
        address, part_seconds = split_part(video) if isinstance(video, str) else (str(video), None)
    name = hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()
    return isinstance(video, Path), name, part_seconds, _state(video, address)


def _state(video: str | Path | LocalVideo, address: str) -> Hashable:
    """Returns time of change and size of a video's file; None if it is not a file."""
    try:
        path = video.path if isinstance(video, LocalVideo) else file_path(address)
        stat = None if path is None else path.stat()
    except (OSError, RuntimeError, ValueError):
        return None
    return stat and (stat.st_mtime_ns, stat.st_size)
