"""Candidate frames of an open video, and what is kept of them for the next question."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import torch

from framesift.compression.frame_tokens import FrameTokens, encode_frames
from framesift.compression.opening import FrameReader
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError
from framesift.scorers.candidates import Candidates
from framesift.types.frames import Frames
from framesift.types.tokens import TokenBuffer, VideoTokens
from framesift.types.video import TimedText

MOST_BYTES: Final = 2**29
"""Tokens that are kept for the next question about the same videos."""


class FramesLostError(Exception):
    """Some candidates cannot be decoded; raised and caught within a selection."""

    def __init__(self, readable: Sequence[int]) -> None:
        """Takes the positions in the stream that can be."""
        super().__init__(f"{len(readable)} candidates can be decoded")
        self.readable = list(readable)


@dataclass(slots=True, kw_only=True)
class SeenFrames:
    """What one encoder saw of a video."""

    encoder: Encoder
    signals: frozenset[str] | None
    parts: list[FrameTokens] = field(default_factory=list)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Part and row of each frame, by its position in the stream."""
    lock: Lock = field(default_factory=Lock, repr=False)
    """Two questions about one video may be worked on at once."""

    def serves(self, encoder: Encoder, signals: frozenset[str] | None) -> bool:
        """Returns whether an encoder's tokens with these signals are among what was seen."""
        if self.encoder != encoder:
            return False
        return self.signals is None or (signals is not None and signals <= self.signals)

    def add(self, part: FrameTokens) -> None:
        """Takes tokens of frames that were not seen before."""
        with self.lock:
            number = len(self.parts)
            self.parts.append(part)
            self.places |= {index: (number, row) for row, index in enumerate(part.indices)}

    def tokens(self, indices: Sequence[int]) -> VideoTokens:
        """Returns the tokens of frames that were seen, by their positions in the stream."""
        for part in self.parts:
            if list(indices) == part.indices:
                return part.tokens
        buffer, start = TokenBuffer(len(indices)), 0
        while start < len(indices):
            number, row = self.places[indices[start]]
            rows = [row]
            while start + len(rows) < len(indices):
                following = self.places[indices[start + len(rows)]]
                if following[0] != number:
                    break
                rows.append(following[1])
            buffer.add(self.parts[number].tokens.frames(rows))
            start += len(rows)
        return buffer.tokens()

    @property
    def nbytes(self) -> int:
        """Memory of the tokens."""
        tokens = [part.tokens for part in self.parts]
        return sum(
            column.nbytes
            for each in tokens
            for column in (each.features, *each.signals.present().values())
        )


class SeenVideos:
    """What encoders saw of the last videos, so that another question encodes nothing again."""

    def __init__(self) -> None:
        self._videos: OrderedDict[str, list[SeenFrames]] = OrderedDict()
        self._lock = Lock()

    def of(self, key: str) -> list[SeenFrames]:
        """Returns what was seen of the video with a key, for others to add to."""
        with self._lock:
            seen = self._videos.setdefault(key, [])
            self._videos.move_to_end(key)
            return seen

    def trim(self) -> None:
        """Forgets the videos that were asked about longest ago, and one that is too large."""
        with self._lock:
            while self._videos and self._bytes() > MOST_BYTES:
                self._videos.popitem(last=False)

    def _bytes(self) -> int:
        return sum(seen.nbytes for video in self._videos.values() for seen in list(video))


@dataclass(kw_only=True)
class ReaderCandidates(Candidates):
    """Frames of an open video."""

    reader: FrameReader
    seen: list[SeenFrames]
    """What encoders saw before, to which is added."""
    also: frozenset[str] | None = frozenset()
    """Signals that others will read, filled as far as an encoder gives them; None for all."""

    @property
    def texts(self) -> tuple[TimedText, ...]:
        """All lines of the video, read with the first use."""
        return self.reader.lines

    @property
    def positions(self) -> list[int]:
        """Positions of the candidates in the stream."""
        return list(self.indices or ())

    def tokens(
        self,
        encoder: str | Encoder,
        signals: frozenset[str] | None = frozenset(),
        places: Sequence[int] | None = None,
    ) -> VideoTokens:
        """Returns candidates as an encoder sees them, each encoded once for all questions."""
        made = encoders.create(encoder)
        if made.frames_per_step != 1:
            raise InvalidOptionError(
                f"encoder {made.spec!r} makes one step of {made.frames_per_step} frames, so that "
                "frames cannot be compared by it; take one that sees frames alone, such as 'clip'"
            )
        if signals is not None:
            wanted = signals | (made.gives if self.also is None else self.also & made.gives)
        else:
            wanted = None
        positions = self.positions
        indices = positions if places is None else [positions[place] for place in places]
        seen = self._seen(made, wanted)
        if missing := [index for index in indices if index not in seen.places]:
            part = encode_frames(self.reader, missing, made, signals=wanted)
            seen.add(part)
            self.cost.frames_decoded += len(part.indices)
            self.cost.frames_encoded += len(part.indices)
            self._check_readable(set(missing) - set(part.indices))
        return seen.tokens(indices)

    def compared(self, encoder: Encoder, signals: frozenset[str] | None) -> SeenFrames | None:
        """Returns what an encoder saw while frames were chosen, None where it saw none."""
        return next((seen for seen in self.seen if seen.serves(encoder, signals)), None)

    def pictures(
        self, places: Sequence[int] | None = None, max_side_px: int | None = None
    ) -> Iterator[Frames]:
        """Yields the pixels of candidates, a window at a time."""
        positions = self.positions
        indices = positions if places is None else [positions[place] for place in places]
        shown: set[int] = set()
        for window in self.reader.frames(indices, self.reader.size_px(max_side_px)):
            shown.update(window.indices.tolist())
            self.cost.frames_decoded += len(window)
            yield window
        self._check_readable(set(indices) - shown)

    def _seen(self, encoder: Encoder, signals: frozenset[str] | None) -> SeenFrames:
        for seen in self.seen:
            if seen.serves(encoder, signals):
                return seen
        made = SeenFrames(encoder=encoder, signals=signals)
        self.seen.append(made)
        return made

    def _check_readable(self, lost: set[int]) -> None:
        if lost:
            raise FramesLostError([index for index in self.positions if index not in lost])


def candidates_of(
    reader: FrameReader, indices: Sequence[int], seen: list[SeenFrames], also: frozenset[str] | None
) -> ReaderCandidates:
    """Returns the frames at some positions in the stream as candidates."""
    return ReaderCandidates(
        pts_seconds=torch.from_numpy(reader.index.pts_seconds[list(indices)]),
        uri=reader.local.uri,
        index=reader.index,
        indices=list(indices),
        reader=reader,
        seen=seen,
        also=also,
    )
