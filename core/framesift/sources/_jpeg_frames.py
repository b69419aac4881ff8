"""Frames of a video that were sent as JPEG files one after the other, as vLLM's clients send them.

Their address is `data:video/jpeg;base64,FIRST,SECOND,...`; it tells no times.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from PIL import JpegImagePlugin

from framesift.errors import UnsupportedSourceError, VideoTooLargeError

KIND: Final = "video/jpeg"
NO_TIMES: Final = "frames that are sent as JPEG files tell no times; they count as one per second"


def write_frames(path: Path, files: Sequence[bytes], max_pixels: int) -> None:
    """Writes JPEG files into a video with one frame per second; none is decoded.

    Raises:
        UnsupportedSourceError: one is no JPEG file, or they differ in size.
        VideoTooLargeError: they have more pixels than allowed.
    """
    sizes = [_size_px(file, place) for place, file in enumerate(files)]
    width, height = sizes[0]
    if len(set(sizes)) > 1:
        raise UnsupportedSourceError(
            f"the frames of a data: URI of {KIND!r} differ in size ("
            f"{', '.join(f'{w}x{h}' for w, h in sorted(set(sizes))[:4])}); send all in one size"
        )
    if width * height > max_pixels:
        raise VideoTooLargeError(
            f"the frames of a data: URI of {KIND!r} have {width}x{height} pixels, allowed are "
            f"{max_pixels}; send smaller ones or raise max_pixels"
        )
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        for place, file in enumerate(files):
            packet = av.Packet(file)
            packet.stream, packet.time_base = stream, Fraction(1)
            packet.pts = packet.dts = place
            packet.duration, packet.is_keyframe = 1, True
            container.mux(packet)


def _size_px(file: bytes, place: int) -> tuple[int, int]:
    """Returns width and height from the header of a JPEG file."""
    try:
        return JpegImagePlugin.JpegImageFile(io.BytesIO(file)).size
    except Exception as error:  # Pillow's readers raise whatever comes up
        raise UnsupportedSourceError(
            f"frame {place + 1} of a data: URI of {KIND!r} is no JPEG file; send JPEG files, or a "
            "video as data:video/mp4;base64,..."
        ) from error
