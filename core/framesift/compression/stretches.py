"""The frames of a long video in stretches, each of which can be decoded and encoded by itself.

A stretch begins where a decoder can jump to, with windows of its own and nothing remembered of the
frames before it. So its tokens are the same whoever makes them, in whatever process and order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from framesift.compression.opening import FrameReader
from framesift.decoders.base import FrameIndex, told_damage
from framesift.encoders.base import Encoder
from framesift.encoders.units import still_encoder
from framesift.errors import CorruptVideoError
from framesift.types.device import device_errors
from framesift.types.frames import Frames
from framesift.types.options import Still
from framesift.types.tokens import VideoTokens

LONG_FRAMES: Final = 3600
"""Most frames to encode that stay one stretch: an hour of them at one a second."""
STRETCH_FRAMES: Final = 1024
"""Least frames of each stretch but the last."""
WHOLE_WINDOWS: Final = 64
"""A stretch has a multiple of so many frames: whole windows, with a gate and without."""
MOST_AGAIN: Final = 16
"""A stretch begins only where what is decoded twice, from the keyframe before it on, is at most
this part of the one before."""
GATED_FRAMES: Final = 64
"""Frames that are encoded together with a gate, since a few patches of each fill no GPU."""
GATED_BYTES: Final = 2**27
"""Most bytes of their pictures, unless a single window has more."""
ENCODING: Final = "a window of frames"
CURE: Final = "which no keep changes; take a smaller encoder, or one on device='cpu'"
"""What helps an encoder that does not say so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Which patches are not encoded again, and what becomes of them."""

    levels: float
    """Change in levels of 256 above which a patch is encoded again."""
    still: Still = "copied"
    """Whether the others copy the tokens that were encoded last there, or take no part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The tokens of some frames that follow each other."""

    tokens: VideoTokens
    frames: list[int]
    """Positions in the stream of the frames that they were made of."""
    encoded: Tensor
    """Tokens that were encoded, bool `(T, N)` on the CPU; the others are copies of those before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """The frames of a video that are to be encoded, in stretches."""

    reader: FrameReader
    encoder: Encoder
    """As it is fitted to the video."""
    signals: frozenset[str] | None
    gate: Gate | None
    parts: list[Sequence[int]]
    """Positions in the stream of the frames of each stretch."""

    @property
    def steps(self) -> int:
        """Time steps of all."""
        return sum(self.encoder.steps(len(part)) for part in self.parts)

    def windows(self, number: int) -> Iterator[Window]:
        """Yields the tokens of one stretch; none where none of its frames can be decoded."""
        reader, step, count = self.reader, self.encoder.frames_per_step, 0
        levels = None if self.gate is None else self.gate.levels
        still = None if levels is None else still_encoder(self.encoder, levels, self.signals)
        # Of several stretches `note_lost` tells in one line what each would tell of its own.
        warn = reader.run.warn if len(self.parts) == 1 else _no_warning
        pixels = reader.frames(self.parts[number], reader.encoder_px(self.encoder), warn)
        whole = _whole_steps(pixels, step)
        try:
            for frames in whole if still is None else _joined(whole):
                about = f"encoder {self.encoder.spec!r}"
                with reader.run.timed("encode"), device_errors(about, ENCODING, CURE):
                    if still is None:
                        tokens = self.encoder.encode(frames, self.signals)
                        encoded = torch.ones(tokens.features.shape[:2], dtype=torch.bool)
                    else:
                        tokens, encoded = still.encode(frames)
                count += len(frames)
                yield Window(tokens=tokens, frames=frames.indices.tolist(), encoded=encoded)
        except CorruptVideoError:
            if len(self.parts) == 1 or count:
                raise

    def note_lost(self, decoded: Iterable[int]) -> None:
        """Warns of frames of several stretches that could not be decoded.

        Raises:
            CorruptVideoError: not one of them could be.
        """
        if len(self.parts) > 1:
            asked = [position for part in self.parts for position in part]
            reader = self.reader
            for line in told_damage(reader.path, reader.index, asked, set(asked) - {*decoded}):
                reader.run.warn(line)


class Maker:
    """Gives the tokens of all stretches of a video: here by encoding one after the other."""

    @property
    def empty(self) -> Callable[[Tensor, int], Tensor] | None:
        """What returns memory for so many rows like those of a tensor; None for that of torch."""
        return None

    def windows(self, stretches: Stretches) -> Iterator[Window]:
        """Yields the tokens of all frames, in order."""
        for number in range(len(stretches.parts)):
            yield from stretches.windows(number)


_maker: ContextVar[Maker | None] = ContextVar("framesift_stretches", default=None)


@contextmanager
def stretches_by(maker: Maker) -> Iterator[None]:
    """Lets `maker` give the tokens of all videos of several stretches that this thread encodes."""
    token = _maker.set(maker)
    try:
        yield
    finally:
        _maker.reset(token)


def maker_of(stretches: Stretches) -> Maker:
    """Returns who gives the tokens."""
    maker = _maker.get()
    return Maker() if maker is None or len(stretches.parts) == 1 else maker


def stretched(
    index: FrameIndex, indices: Sequence[int], frames_per_step: int
) -> list[Sequence[int]]:
    """Returns ascending positions in the stream, parted where a stretch begins.

    Args:
        index: all frames of the stream.
        indices: the positions.
        frames_per_step: how many of them are encoded as one, which stay together.
    """
    whole = WHOLE_WINDOWS % frames_per_step == 0
    if len(indices) <= LONG_FRAMES or index.is_keyframe is None or not index.can_jump or not whole:
        return [indices]
    keys = np.flatnonzero(index.is_keyframe)
    parts, start, place = [], 0, STRETCH_FRAMES
    while place < len(indices):
        before = np.searchsorted(keys, indices[place], side="right") - 1
        again = indices[place] - (int(keys[before]) if before >= 0 else 0)
        if again * MOST_AGAIN <= indices[place] - indices[start]:
            parts.append(indices[start:place])
            start, place = place, place + STRETCH_FRAMES
        else:
            place += WHOLE_WINDOWS
    return [*parts, indices[start:]]


def _no_warning(_: str) -> None:
    """Takes a warning that is told otherwise."""


def _joined(windows: Iterable[Frames]) -> Iterator[Frames]:
    """Yields windows of at least `GATED_FRAMES`, but for the last one and those of large frames."""
    waiting: list[Frames] = []
    for window in windows:
        waiting.append(window)
        count = sum(map(len, waiting))
        if count >= GATED_FRAMES or count * window.data[0].nbytes >= GATED_BYTES:
            yield Frames.concatenate(waiting)
            waiting = []
    if waiting:
        yield Frames.concatenate(waiting)


def _whole_steps(windows: Iterable[Frames], step: int) -> Iterator[Frames]:
    """Yields the frames again, so that no window but the last ends within a step."""
    rest: Frames | None = None
    for window in windows:
        frames = window if rest is None else Frames.concatenate([rest, window])
        whole = len(frames) - len(frames) % step
        rest = frames[whole:] if whole < len(frames) else None
        if whole:
            yield frames[:whole]
    if rest is not None:
        yield rest
