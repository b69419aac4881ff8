"""Writes H.264 whose frames are two field pictures each, as camcorders do and x264 does not.

Every macroblock holds its pixels as they are (I_PCM), so an encoder of a few lines will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

TICK = Fraction(1, 90_000)
WIDTH, HEIGHT = 128, 64
FIELD_ROWS = HEIGHT // 32
"""Rows of macroblocks in one field."""


class Bits:
    """A row of bits that grows."""

    def __init__(self) -> None:
        self.text = ""

    def put(self, value: int, count: int) -> Bits:
        """Adds a number in `count` bits."""
        self.text += f"{value:0{count}b}"
        return self

    def golomb(self, *values: int) -> Bits:
        """Adds numbers in Exp-Golomb code."""
        for value in values:
            self.text += "0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}"
        return self

    def aligned(self) -> bytes:
        """Returns whole bytes, zeros at the end."""
        padded = self.text + "0" * (-len(self.text) % 8)
        return int(padded, 2).to_bytes(len(padded) // 8, "big")


def unit(head: int, payload: bytes) -> bytes:
    """Returns a unit behind a start code, with what keeps start codes out of it."""
    escaped, zeros = bytearray(), 0
    for byte in payload:
        if zeros == 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([head]) + bytes(escaped)


def parameter_sets() -> bytes:
    """Returns the units that say how the stream is coded."""
    sequence = Bits().put(77, 8).put(0, 8).put(30, 8).golomb(0, 0, 0, 4, 1).put(0, 1)
    sequence.golomb(WIDTH // 16 - 1, FIELD_ROWS - 1).put(0b00100, 5).put(1, 1)
    picture = Bits().golomb(0, 0).put(0b00, 2).golomb(0, 0, 0).put(0b000, 3)
    picture.golomb(0, 0, 0).put(0b100, 3).put(1, 1)
    return unit(0x67, sequence.aligned()) + unit(0x68, picture.aligned())


def field(luma: npt.NDArray[np.uint8], number: int, *, is_bottom: bool) -> bytes:
    """Returns one field picture; the first of a frame, the top one, is where decoding can start."""
    head = Bits().golomb(0, 7, 0).put(0, 4).put(1, 1).put(is_bottom, 1)
    if not is_bottom:
        head.golomb(number % 2)
    head.put(int(is_bottom), 8).put(0, 1 if is_bottom else 2).golomb(0, 1)
    payload = bytearray()
    for row in range(FIELD_ROWS):
        for column in range(WIDTH // 16):
            kind = (head if not payload else Bits()).golomb(25)
            block = luma[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
            payload += kind.aligned() + block.tobytes() + bytes([128]) * 128
    return unit(0x61 if is_bottom else 0x65, bytes(payload) + b"\x80")


def write_fields(path: Path, numbers: Sequence[int], start_seconds: float = 0.0) -> Path:
    """Returns `path`, whose frames show `numbers` as stripes at 25 frames per second.

    Each field is a packet of its own; where the format allows, only the first one has a time.
    """
    frame_ticks, first = 3600, round(start_seconds / TICK)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.extradata = parameter_sets()
        stream.time_base = TICK
        for place, number in enumerate(numbers):
            stripes = np.repeat(((number >> np.arange(8)) & 1) * 200 + 28, WIDTH // 8)
            luma = np.tile(stripes.astype(np.uint8), (HEIGHT // 2, 1))
            for is_bottom in (False, True):
                sets = b"" if is_bottom else parameter_sets()
                packet = av.Packet(sets + field(luma, place, is_bottom=is_bottom))
                packet.stream, packet.time_base = stream, TICK
                packet.pts = packet.dts = first + place * frame_ticks + is_bottom * frame_ticks // 2
                packet.duration = frame_ticks // 2
                packet.is_keyframe = not is_bottom
                container.mux(packet)
    return path
