"""Opens a file with libav and reads its packets and frames past any damage."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framesift.errors import CorruptVideoError, NoVideoStreamError
from framesift.types.video import CONTAINERS

FORMATS: Final = (
    f"{CONTAINERS},h264,hevc,obu,ivf,m4v,mpegvideo,h263,vc1,mjpeg,dv,nut,rm,wtv,mp3,flac,wav,aac"
)
"""Containers that hold their own frames, bare streams, and sound, to say that it is only sound."""
SKIPPING_CODECS: Final = frozenset({"h264"})
"""Codecs whose unreferenced frames are truly unreferenced; in HEVC a higher layer may need them."""


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Gives the open container and its main video stream.

    Only the file itself is read: a playlist in disguise can open neither links nor other files.

    Raises:
        CorruptVideoError: the file is empty, not a video, or too damaged to open.
        NoVideoStreamError: the file has no video stream.
    """
    try:
        container = av.open(
            f"file:{path}", options={"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        )
    except FFmpegError as error:
        raise CorruptVideoError(
            f"{path.name!r} ({path.stat().st_size} bytes) cannot be opened as video: "
            f"{error.strerror}; give a complete video file such as MP4, WebM, MKV or MOV"
        ) from error
    with container:
        yield container, _main_stream(path, container)


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yields all packets up to the end, or to where the file breaks off, and a flush at last."""
    try:
        yield from container.demux(stream)
    except FFmpegError:
        flush = cast("Packet[VideoStream]", Packet())
        flush.stream = stream
        yield flush


def frames(
    container: InputContainer, stream: VideoStream, wanted: Set[int] | None = None
) -> Iterator[VideoFrame]:
    """Yields the frames that decode without error, in presentation order.

    Where `wanted` names pts, other frames may be missing: those that no other frame refers to.
    """
    codec = stream.codec_context
    for packet in packets(container, stream):
        if wanted is not None and codec.name in SKIPPING_CODECS:
            is_wanted = packet.pts is None or packet.pts in wanted
            codec.skip_frame = "DEFAULT" if is_wanted else "NONREF"
        yield from decode(packet)


def decode(packet: Packet[VideoStream]) -> list[VideoFrame]:
    """Returns the intact frames that `packet` completes, none where it is damaged."""
    if packet.is_corrupt:
        return []
    try:
        return [frame for frame in packet.decode() if not frame.is_corrupt]
    except FFmpegError:
        return []


def is_picture(stream: Stream) -> bool:
    """Returns whether the stream is no video but the cover of an album or film."""
    return bool(stream.disposition & Disposition.attached_pic)


def _main_stream(path: Path, container: InputContainer) -> VideoStream:
    streams = [stream for stream in container.streams.video if not is_picture(stream)]
    if not streams:
        kinds = {"a cover" if s.type == "video" else s.type for s in container.streams}
        raise NoVideoStreamError(
            f"{path.name!r} holds {', '.join(sorted(kinds)) or 'no streams'}, which is no video; "
            "give a file with moving pictures"
        )
    defaults = (stream for stream in streams if stream.disposition & Disposition.default)
    return next(defaults, streams[0])
