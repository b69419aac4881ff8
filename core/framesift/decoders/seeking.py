"""Finds frames again: decodes on, and jumps to a keyframe where that leaves enough frames out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from av.codec.context import Flags2
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framesift.decoders import _container
from framesift.decoders._timeline import Timeline
from framesift.decoders.ahead import has_reader

Picture = TypeVar("Picture")


MIN_JUMP_FRAMES: Final = 16
"""Frames that a jump must leave out: refilling the decoder costs about as much as these."""


@dataclass(frozen=True, slots=True)
class DecodedRange:
    """Positions that are decoded in one go."""

    positions: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    """Where to jump to first, the best one and one to fall back on; empty to decode on."""


def decoded_ranges(keys: npt.NDArray[np.int64], positions: Sequence[int]) -> list[DecodedRange]:
    """Returns ascending `positions`, parted wherever a jump leaves enough frames out."""
    ranges = [DecodedRange()]
    following = 0
    for position in positions:
        before = keys[: np.searchsorted(keys, position, side="right")]
        if len(before) and before[-1] - following >= MIN_JUMP_FRAMES:
            ranges.append(DecodedRange(keys=before[:-3:-1].tolist()))
        ranges[-1].positions.append(position)
        following = position + 1
    return [each for each in ranges if each.positions]


def found_frames(
    path: Path,
    timeline: Timeline,
    positions: Sequence[int],
    max_pixels: int,
    *,
    vectors: bool = False,
) -> Iterator[tuple[int, VideoFrame]]:
    """Yields ascending positions of a file with their frames, without those that damage cost.

    Several threads decode up to the first damage. From there on it is one, which begins again where
    they had begun: so what is made of damage is the same on every machine.

    Args:
        path: the video file.
        timeline: of its frames.
        positions: those that are wanted.
        max_pixels: most pixels of a picture.
        vectors: whether frames come with their motion vectors.
    """
    latest = -1
    most = 1 if timeline.index.is_cut else _container.decoding_threads()
    for threads in dict.fromkeys((most, 1)):
        with _container.open_video(path, max_pixels, threads) as (container, stream):
            if vectors:
                stream.codec_context.flags2 |= Flags2.export_mvs
            try:
                for position, frame in SeekingReader(container, stream, timeline, positions):
                    if position > latest:
                        yield position, frame
                        latest = position
            except _container.DamageError:
                continue
            return


class SeekingReader:
    """Gives frames of one open container by their position in its timeline."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        timeline: Timeline,
        positions: Sequence[int],
    ) -> None:
        self._container = container
        self._stream = stream
        self._timeline = timeline
        self._ranges = decoded_ranges(timeline.keys, positions)
        skips = not timeline.counted and not timeline.has_fields
        self._wanted = set(timeline.ticks[positions].tolist()) if skips else None
        # Threads of frames call good fields corrupt where a stream turns from frames to fields.
        stream.thread_type = "SLICE" if timeline.has_fields else "AUTO"

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yields positions with their frames, without those that damage cost."""
        frames = self._decoded()
        for each in self._ranges:
            for key in dict.fromkeys([*each.keys, 0] if each.keys else []):
                if not self._jump(key):
                    break
                decoded = self._decoded()
                landed = list(islice(decoded, 1))
                frames = chain(landed, decoded)
                if landed and landed[0][0] <= each.positions[0]:
                    break
            yield from pick(frames, each.positions)

    def _jump(self, key: int) -> bool:
        try:
            self._container.seek(int(self._timeline.ticks[key]), stream=self._stream)
        except FFmpegError:  # some raw streams cannot be sought in, so they are decoded on
            return False
        return True

    def _decoded(self) -> Iterator[tuple[int, VideoFrame]]:
        frames = _container.frames(
            self._container,
            self._stream,
            wanted=self._wanted,
            times=self._timeline.mended,
            intact=self._timeline.intact,
        )
        for count, frame in enumerate(frames):
            position = self._timeline.position(count if self._timeline.counted else frame.pts)
            if position is not None:
                yield position, frame


def pick(
    numbered: Iterator[tuple[int, Picture]], positions: Sequence[int]
) -> Iterator[tuple[int, Picture]]:
    """Yields those at `positions`, in order and each once, and stops reading at the last of them.

    A frame that comes after a later one, as times that overlap make it, is not shown any more.
    """
    wanted, last, latest = set(positions), max(positions, default=-1), -1
    for position, picture in numbered:
        if position in wanted and position > latest:
            latest = position
            yield position, picture
        if position >= last or not has_reader():
            return
