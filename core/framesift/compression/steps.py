"""The steps from a URI to tokens and frames, each timed, each in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import torch
from PIL.Image import Image

from framesift.decoders.base import Decoder, FrameIndex
from framesift.decoders.stills import picture_file
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.encoders.gate import Gate
from framesift.errors import UnsupportedSourceError
from framesift.fetching.limits import FetchLimits
from framesift.progress import progress_bar
from framesift.run import Run
from framesift.selectors.base import Selection, Selector
from framesift.sources.base import open_video
from framesift.types.compressed import CompressedVideo
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import LocalVideo

Item = TypeVar("Item")

MOST_LINE_SECONDS: Final = 600.0
"""Longest that a line of subtitles stays: the last one often claims to stay for ever. One that
begins later than this after all that is known of a video is about another."""

Video = str | Path | LocalVideo | Image | CompressedVideo
"""A URI, a path, an opened video, a picture, which is a video of one frame, or a compressed video,
whose tokens are asked about, and whose file is opened again where its pictures are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """The tokens of the frames that could be decoded."""

    tokens: VideoTokens
    indices: list[int]
    """Position in the stream of each of the frames, or of the first of each step."""
    encoder: Encoder
    steps_encoded: int
    """Time steps that went through the encoder; the others copy the one before."""

    def frames(self, indices: Sequence[int]) -> Encoded:
        """Returns some of the frames, each of them encoded, by their position in the stream."""
        place = {index: i for i, index in enumerate(self.indices)}
        tokens = self.tokens.frames([place[index] for index in indices])
        return replace(self, tokens=tokens, indices=list(indices), steps_encoded=len(indices))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A selector's choice, as positions in the stream."""

    choice: Selection
    indices: list[int]
    seen: Encoded | None
    """What the selector looked at, None where the times were enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The steps of one run over one video, each of them timed, by one decoder."""

    decoder: Decoder
    run: Run = field(default_factory=Run)

    def warn(self, line: str) -> None:
        """Notes that something went wrong without ending the run."""
        self.run.warn(line)

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Adds the seconds spent within to `stage`."""
        return self.run.timed(stage)

    @contextmanager
    def open(self, video: Video, limits: FetchLimits) -> Iterator[LocalVideo]:
        """Gives the video as a file, and removes what was fetched; a `LocalVideo` stays open."""
        if isinstance(video, LocalVideo):
            opened: AbstractContextManager[LocalVideo] = nullcontext(video)
        elif isinstance(video, Image):
            opened = picture_file(video, limits.max_pixels)
        else:
            address = video.address if isinstance(video, CompressedVideo) else video
            with self.timed("fetch"):
                opened = open_video(address, limits)
        with opened as local:
            for line in local.warnings:
                self.warn(line)
            yield local

    def index(self, local: LocalVideo) -> FrameIndex:
        """Returns the frames of a video; the last stays until what its source knows of it ends."""
        with self.timed("decode"):
            index = self.decoder.index(file_of(local))
        info = index.info
        end = max(local.duration_seconds or 0.0, info.start_seconds + info.duration_seconds)
        for place, line in enumerate(local.subtitles):
            if line.start_seconds > end + MOST_LINE_SECONDS:
                self.warn(
                    f"{len(local.subtitles) - place} lines of subtitles from "
                    f"{line.start_seconds:.0f} s on were left out: the video and the lines before "
                    f"end at {end:.0f} s"
                )
                break
            end = max(end, min(line.end_seconds, line.start_seconds + MOST_LINE_SECONDS))
        return index.staying(end)

    def frames(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None = None
    ) -> Iterator[Frames]:
        """Yields windows of the frames at `indices`."""
        windows = self.decoder.decode(path, indices, size_px=size_px, warn=self.warn)
        return self._each("decode", windows)

    def encode(
        self,
        path: Path,
        index: FrameIndex,
        indices: Sequence[int],
        encoder: Encoder,
        *,
        gate: float | None = None,
    ) -> Encoded:
        """Returns the tokens of the frames at `indices`, never holding more than a window.

        Args:
            path: file to decode.
            index: its frames.
            indices: positions in the stream.
            encoder: makes the tokens.
            gate: least similarity to the last encoded time step at which one copies its tokens;
                None encodes every step.
        """
        decoded: list[int] = []
        info, fitted = index.info, encoder.fitted(index.info)
        gatekeeper = Gate(encoder=fitted, similarity=gate)
        (height, width), step = fitted.input_px, fitted.frames_per_step
        size_px = min(info.height_px, height), min(info.width_px, width)

        def parts() -> Iterator[VideoTokens]:
            with progress_bar("encode", total=len(indices)) as bar:
                for window in _whole_steps(self.frames(path, indices, size_px), step):
                    with nullcontext() if gate is None else self.timed("gate"):
                        differing = gatekeeper.differing(window)
                    with self.timed("encode"):
                        part = gatekeeper.encode(window, differing)
                    decoded.extend(window.indices[::step].tolist())
                    yield part
                    bar.update(len(window))

        tokens = VideoTokens.gather(parts(), -(-len(indices) // step))
        return Encoded(
            tokens=tokens,
            indices=decoded,
            encoder=encoder,
            steps_encoded=gatekeeper.steps_encoded,
        )

    def select(
        self,
        path: Path,
        index: FrameIndex,
        indices: Sequence[int],
        *,
        selector: Selector,
        count: int,
        question: str | None,
    ) -> Selected:
        """Returns the selector's choice among the frames at `indices` that can be decoded."""
        seen = None
        if selector.encoder is not None:
            seen = self.encode(path, index, indices, encoders.create(selector.encoder))
        candidates = indices if seen is None else seen.indices
        with self.timed("select"):
            choice = selector.select(
                torch.from_numpy(index.pts_seconds[list(candidates)]),
                None if seen is None else seen.tokens,
                count,
                question,
            )
        picked = [candidates[i] for i in choice.indices]
        return Selected(choice=choice, indices=picked, seen=seen)

    def _each(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        iterator = iter(items)
        while True:
            with self.timed(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item


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


def file_of(video: LocalVideo) -> Path:
    """Returns the file to decode.

    Raises:
        UnsupportedSourceError: the video was opened for its text only.
    """
    if video.path is None:
        raise UnsupportedSourceError(f"{video.uri!r} was opened for its text only; open it again")
    return video.path
