"""Opens a file with libav and reads its packets and frames past any damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import av
import torch
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framesift.decoders import _declared
from framesift.decoders._boundary import check_pixels
from framesift.errors import CorruptVideoError, NoVideoStreamError
from framesift.types.video import CONTAINERS, MAX_PIXELS

FORMATS: Final = (
    f"{CONTAINERS},h264,hevc,obu,ivf,m4v,mpegvideo,h263,vc1,mjpeg,dv,nut,rm,wtv,mp3,flac,wav,aac"
)
"""Containers that hold their own frames, bare streams, and sound, to say that it is only sound."""
PROGRAMS: Final = frozenset({"mpegts"})
"""Containers whose streams may belong to several programs, each with its own clock."""
UNCHECKED_CODECS: Final = frozenset({"vp8"})
"""Codecs whose pictures hold nothing by which damage is seen."""
MOST_THREADS: Final = 16
"""Each thread of the codec holds a frame."""
SKIPPING_CODECS: Final = frozenset({"h264"})
"""Codecs whose unreferenced frames are truly unreferenced; in HEVC a higher layer may need them."""


class DamageError(Exception):
    """Several threads met damage; what they make of it depends on how many they are."""


def decoding_threads() -> int:
    """Returns how many threads decode: as many as PyTorch may use in this process.

    Where processes share the cores, such as workers of a data loader, each is told its share so.
    """
    return min(torch.get_num_threads(), MOST_THREADS)


@contextmanager
def open_video(
    path: Path, max_pixels: int = MAX_PIXELS, threads: int = 1
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Gives the open container and its main video stream.

    Only the file itself is read: a playlist in disguise can open neither links nor other files.

    Args:
        path: the file.
        max_pixels: most pixels of a picture; libav, too, decodes none that has more.
        threads: that decode; several stop at any damage, and one makes of it what it can.

    Raises:
        CorruptVideoError: the file is empty, not a video, or too damaged to open.
        NoVideoStreamError: the file has no video stream that can be decoded.
        VideoTooLargeError: its pictures have more pixels.
    """
    if size_px := _declared.gif_size(path):  # libav makes room for all of it to look inside
        check_pixels(path.name, *size_px, max_pixels)
    options = {
        "format_whitelist": FORMATS,
        "protocol_whitelist": "file",
        "max_pixels": str(max_pixels),
    }
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except FFmpegError as error:
        raise CorruptVideoError(
            f"{path.name!r} ({path.stat().st_size} bytes) cannot be opened as video: "
            f"{error.strerror}; give a complete video file such as MP4, WebM, MKV or MOV"
        ) from error
    with container:
        stream = _main_stream(path, container)
        codec = stream.codec_context
        check_pixels(path.name, codec.width, codec.height, max_pixels)
        codec.thread_count = 1 if codec.name in UNCHECKED_CODECS else threads
        stops = {"err_detect": "explode"} if threads > 1 else {}
        codec.options = {**codec.options, **stops, "max_pixels": str(max_pixels)}
        yield container, stream


def heard_with(container: InputContainer, stream: VideoStream) -> list[Stream]:
    """Returns the sound that belongs to a video stream: all, or that of its own program."""
    if container.format.name not in PROGRAMS:
        return list(container.streams.audio)
    sound = container.streams.best("audio", related=stream)
    return [] if sound is None else [sound]


def packets(container: InputContainer, *streams: Stream) -> Iterator[Packet[Stream]]:
    """Yields all packets up to the end, or to where the file breaks off, and a flush at last."""
    try:
        yield from container.demux(*streams)
    except FFmpegError:
        flush = Packet()
        flush.stream = streams[0]
        yield flush


def frames(
    container: InputContainer,
    stream: VideoStream,
    *,
    wanted: Set[int] | None = None,
    times: Sequence[int | None] | None = None,
    intact: Set[int | None] = frozenset(),
) -> Iterator[VideoFrame]:
    """Yields the frames that decode without error, in presentation order.

    Args:
        container: the open file.
        stream: one of its streams.
        wanted: pts of the frames that must come; others may be missing, those that no other frame
            refers to. None for all.
        times: what each packet from the start of the file gets for its own pts; None for those.
        intact: pts of packets that are only called corrupt.

    Raises:
        DamageError: several threads decode, and something does not.
    """
    codec = stream.codec_context
    for number, packet in enumerate(packets(container, stream)):
        if times is not None and number < len(times):
            packet.pts = times[number]
        if wanted is not None and codec.name in SKIPPING_CODECS:
            is_wanted = packet.pts is None or packet.pts in wanted
            codec.skip_frame = "DEFAULT" if is_wanted else "NONREF"
        yield from decode(packet, is_intact=packet.pts in intact)


def decode(packet: Packet[Stream], *, is_intact: bool = False) -> list[VideoFrame]:
    """Returns the intact frames that `packet` completes, none where it is damaged.

    A packet that is called corrupt is, unless the caller knows better by `is_intact`.

    Raises:
        DamageError: several threads decode, and it is damaged.
    """
    frames: list[VideoFrame] = []
    is_damaged = packet.is_corrupt and not is_intact
    if not is_damaged:
        try:
            frames = cast("list[VideoFrame]", packet.decode())
        except FFmpegError:
            is_damaged = True
    intact = [frame for frame in frames if not frame.is_corrupt]
    if (is_damaged or len(intact) < len(frames)) and packet.stream.codec_context.thread_count > 1:
        raise DamageError
    return intact


def is_picture(stream: Stream) -> bool:
    """Returns whether the stream is the cover of an album or film."""
    return bool(stream.disposition & Disposition.attached_pic)


def _main_stream(path: Path, container: InputContainer) -> VideoStream:
    """Returns the stream that libav ranks best, or the best by size where it cannot be decoded."""
    streams = [stream for stream in container.streams.video if not is_picture(stream)]
    if not streams:
        kinds = {"a cover" if s.type == "video" else s.type for s in container.streams}
        raise NoVideoStreamError(
            f"{path.name!r} holds {', '.join(sorted(kinds)) or 'no streams'}, which is not a "
            "video; give a file with moving pictures"
        )
    known = [stream for stream in streams if has_decoder(stream)]
    if not known:
        raise NoVideoStreamError(
            f"{path.name!r} holds video in a codec that is not known here; convert it to H.264 "
            "in an MP4 file"
        )
    best = container.streams.best("video")
    return next((stream for stream in known if stream is best), None) or max(known, key=_rank)


def has_decoder(stream: VideoStream) -> bool:
    """Returns whether this build of libav knows the codec of a stream."""
    return cast("object | None", stream.codec_context) is not None


def _rank(stream: VideoStream) -> tuple[bool, int]:
    is_default = bool(stream.disposition & Disposition.default)
    return is_default, stream.codec_context.width * stream.codec_context.height
