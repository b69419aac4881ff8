"""Which H.264 packets are the second field of the one before, instead of a frame of their own.

Camcorders and broadcasters code the two fields of an interlaced frame as two pictures where much
moves (ITU-T H.264, 7.3.3 and 7.4.1.2.4). Only the headers of slices say so, so these are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

SLICES: Final = frozenset({1, 2, 5})
SPS, PPS = 7, 8
HEADER_BYTES: Final = 64
"""More than any slice header needs up to the field flags."""
SPS_BYTES: Final = 1024
MOST_UNITS: Final = 4096
"""Units of a packet that are looked at, far more than any real one has."""
FIDELITY_PROFILES: Final = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
"""Profiles whose parameter sets name a chroma format and scaling matrices."""


class _CodedPicture(NamedTuple):
    """One coded picture: a frame, or the top or bottom field of one."""

    is_field: bool
    is_bottom: bool
    frame_num: int


class _Sequence(NamedTuple):
    """What a sequence parameter set says about the headers of slices."""

    frames_only: bool
    frame_num_bits: int
    has_planes: bool


@dataclass(slots=True)
class FieldPairs:
    """Follows the packets of one H.264 stream in decode order."""

    extradata: bytes
    second_fields: int = 0
    """Packets so far that held only a second field."""
    _length_bytes: int = 0
    """Bytes of the length before each unit, 0 where start codes part them."""
    _sequences: dict[int, _Sequence] = field(default_factory=dict)
    _sequence_of: dict[int, int] = field(default_factory=dict)
    """Sequence parameter set of each picture parameter set."""
    _frames_only: bool = False
    """Whether all sequences so far hold whole frames."""
    _open: _CodedPicture | None = None
    """A first field that waits for its second."""

    def __post_init__(self) -> None:
        data = self.extradata
        if data[:1] == b"\x01" and len(data) > 6:
            self._length_bytes = (data[4] & 3) + 1
            for unit in _configuration_units(data):
                self._learn(unit)
        else:
            for unit in _units(data, 0):
                self._learn(unit)

    def may_skip(self, is_key: bool) -> bool:
        """Returns whether the next packet surely holds a frame: new rules come with keyframes."""
        return self._frames_only and not is_key

    def starts_frame(self, data: memoryview) -> bool:
        """Returns whether the next packet holds the first field of a frame, or a whole one."""
        pictures = 0
        starts = False
        for unit in islice(_units(bytes(data), self._length_bytes), MOST_UNITS):
            kind = unit[0] & 31
            if kind in (SPS, PPS):
                self._learn(unit)
            elif kind in SLICES and (picture := self._picture(unit)) is not None:
                pictures += 1
                starts |= self._begins(picture)
        if pictures and not starts:
            self.second_fields += 1
        return starts or not pictures

    def _begins(self, picture: _CodedPicture) -> bool:
        first = self._open
        completes = (
            picture.is_field
            and first is not None
            and first.is_bottom != picture.is_bottom
            and first.frame_num == picture.frame_num
        )
        self._open = picture if picture.is_field and not completes else None
        return not completes

    def _learn(self, unit: bytes) -> None:
        """Reads a parameter set; one that is damaged is left out."""
        try:
            if unit[0] & 31 == SPS:
                number, sequence = _sequence(_Bits(unit[1 : SPS_BYTES + 1]))
                self._sequences[number] = sequence
                self._frames_only = all(known.frames_only for known in self._sequences.values())
            elif unit[0] & 31 == PPS:
                bits = _Bits(unit[1 : HEADER_BYTES + 1])
                self._sequence_of[bits.unsigned()] = bits.unsigned()
        except IndexError:
            return

    def _picture(self, unit: bytes) -> _CodedPicture | None:
        """Returns the picture that a slice begins, None for its further slices."""
        try:
            bits = _Bits(unit[1 : HEADER_BYTES + 1])
            if bits.unsigned() != 0:  # first_mb_in_slice
                return None
            bits.unsigned()  # slice_type
            sequence = self._sequences[self._sequence_of[bits.unsigned()]]
            if sequence.has_planes:
                bits.take(2)
            frame_num = bits.take(sequence.frame_num_bits)
            is_field = not sequence.frames_only and bool(bits.take(1))
            return _CodedPicture(is_field, is_field and bool(bits.take(1)), frame_num)
        except LookupError:
            return None


class _Bits:
    """Reads the bits of a unit, without the bytes that only prevent start codes."""

    def __init__(self, data: bytes) -> None:
        clean = data.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(clean, "big"), 8 * len(clean)

    def take(self, count: int) -> int:
        if count > self._left:
            raise IndexError("a unit ends within its header")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -number // 2


def _sequence(bits: _Bits) -> tuple[int, _Sequence]:
    profile = bits.take(8)
    bits.take(16)
    number, has_planes = bits.unsigned(), False
    if profile in FIDELITY_PROFILES:
        chroma = bits.unsigned()
        has_planes = chroma == 3 and bool(bits.take(1))
        bits.unsigned(), bits.unsigned(), bits.take(1)
        if bits.take(1):
            for matrix in range(8 if chroma != 3 else 12):
                _skip_matrix(bits, 16 if matrix < 6 else 64)
    frame_num_bits = bits.unsigned() + 4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1), bits.signed(), bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()
    bits.unsigned(), bits.take(1), bits.unsigned(), bits.unsigned()
    return number, _Sequence(bool(bits.take(1)), frame_num_bits, has_planes)


def _skip_matrix(bits: _Bits, size: int) -> None:
    if not bits.take(1):
        return
    following = 8
    for _ in range(size):
        following = (following + bits.signed()) % 256
        if following == 0:
            return


def _units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """Yields the units of a packet: after their lengths, or after start codes."""
    place = 0
    if length_bytes:
        while place + length_bytes < len(data):
            size = int.from_bytes(data[place : place + length_bytes], "big")
            place += length_bytes
            if size:
                yield data[place : place + min(size, SPS_BYTES)]
            place += size
        return
    while (place := data.find(b"\0\0\1", place)) >= 0 and place + 3 < len(data):
        place += 3
        yield data[place : place + SPS_BYTES]


def _configuration_units(data: bytes) -> Iterator[bytes]:
    """Yields the parameter sets of a decoder configuration record (ISO/IEC 14496-15)."""
    place = 6
    for count in (data[5] & 31, None):
        if count is None:
            if place >= len(data):
                return
            count, place = data[place], place + 1
        for _ in range(count):
            size = int.from_bytes(data[place : place + 2], "big")
            if not size:
                return
            yield data[place + 2 : place + 2 + size]
            place += 2 + size
