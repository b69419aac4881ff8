"""How long a video is that somebody sent, for what is counted or billed by its length."""

from __future__ import annotations

from framesift import decoders
from framesift.decoders.stills import WithStills
from framesift.types.video import LocalVideo


def length_seconds(video: LocalVideo) -> float:
    """Returns how long a video is, or the part of it that was meant; 0 of a picture.

    The packets of a file are counted, since its header may say anything.

    Raises:
        CorruptVideoError: it is no video.
        NoVideoStreamError: it holds sound alone.
        VideoTooLargeError: its pictures have more pixels than are allowed.
    """
    if video.path is None:
        whole_seconds = video.duration_seconds or 0.0
    else:
        decoder = WithStills(videos=decoders.registry.create("pyav"))
        whole_seconds = decoder.index(video.path).info.duration_seconds
    start, end = video.part_seconds or (0.0, whole_seconds)
    return max(0.0, min(end, whole_seconds) - start)
