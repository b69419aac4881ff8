"""Opens whatever is given as a video, and reads its frames in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from PIL.Image import Image
from pydantic import Field

from framesift.compression.reading import TextReading
from framesift.decoders.ahead import ReadAhead
from framesift.decoders.base import WINDOW, Decoder, FrameIndex
from framesift.decoders.sampling import ascending, at_fps, at_times
from framesift.decoders.stills import IN_MEMORY, WithStills, picture_file
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError, SourceError, UnsupportedSourceError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.readers.pieces import Pieces
from framesift.run import Run, progress_bar
from framesift.sources.base import open_video
from framesift.types.compressed import CompressedVideo
from framesift.types.frames import Frames
from framesift.types.options import ResizedBy, side_px
from framesift.types.transcript import Transcript
from framesift.types.video import LocalVideo, TimedText, Warn

MOST_LINE_SECONDS: Final = 600.0
"""Longest that a line of subtitles stays: the last one often claims to stay for ever. One that
begins later than this after all that is known of a video is about another."""

SAME_SECONDS: Final = 0.05
"""By how much the length of a file may differ from what a report says of it."""

Fps = Annotated[float, Field(ge=1e-9, le=1e6)]
"""Frames sampled per second. Beyond these a rate is a mistake: one frame in 30 years, or more than
any camera takes."""

Video = str | Path | LocalVideo | Image | CompressedVideo
"""A URI, a path, an opened video, a picture, which is a video of one frame, or a compressed video,
whose tokens are asked about, and whose file is opened again where its pictures are wanted."""


@dataclass(frozen=True, kw_only=True)
class FrameReader:
    """Reads the frames of one local video by one decoder, for one run."""

    local: LocalVideo
    decoder: Decoder
    run: Run
    resized_by: ResizedBy = "model"
    """What scales large frames down that an encoder takes at display size."""
    reading: TextReading = field(default_factory=TextReading)
    """Reads the text of the video."""
    compressed: CompressedVideo | None = None
    """What was made of the video before, where that is to be read again."""
    threads: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)
    """Ends what decodes ahead, before the file may be removed."""

    @property
    def path(self) -> Path:
        """The file to decode."""
        return file_of(self.local)

    @cached_property
    def index(self) -> FrameIndex:
        """All frames with their times; the last stays until what the source knows of it ends."""
        with self.run.timed("decode"):
            index = self.decoder.index(self.path)
        info, subtitles = index.info, self.local.subtitles
        end = max(self.local.duration_seconds or 0.0, info.start_seconds + info.duration_seconds)
        for place, line in enumerate(subtitles):
            if line.start_seconds > end + MOST_LINE_SECONDS:
                self.run.warn(
                    f"{len(subtitles) - place} of {len(subtitles)} subtitles were left out, from "
                    f"{line.start_seconds:.0f} s on: the video and those before end at {end:.0f} s"
                )
                break
            end = max(end, min(line.end_seconds, line.start_seconds + MOST_LINE_SECONDS))
        return index.staying(end)

    @cached_property
    def pieces(self) -> Pieces:
        """What readers of text made of parts of the video."""
        return Pieces()

    @cached_property
    def transcript(self) -> Transcript:
        """What is said and written in the video, read with the first use."""
        self.check_same()
        return self.reading.transcript(self)

    @property
    def lines(self) -> tuple[TimedText, ...]:
        """The lines of the transcript."""
        return self.transcript.lines

    def check_same(self) -> None:
        """Refuses a file that has taken the place of the one that was compressed.

        Raises:
            SourceError: it has another length.
        """
        if self.compressed is None:
            return
        report, now = self.compressed.report, self.index.info.duration_seconds
        if abs(report.duration_seconds - now) > SAME_SECONDS:
            raise SourceError(
                f"{report.uri[:200]!r} had {report.duration_seconds:.2f} s when it was compressed "
                f"and has {now:.2f} s now; compress it again"
            )

    def sampled(self, fps: float) -> list[int]:
        """Returns the positions of the frames shown at `fps` in the part that was opened."""
        return at_fps(self.index, fps, self.local.part_seconds)

    def size_px(self, max_side_px: int | None) -> tuple[int, int] | None:
        """Returns the display size `(H, W)` scaled down to a longest side; None for no limit."""
        if max_side_px is None:
            return None
        info = self.index.info
        scale = min(1.0, max_side_px / max(info.height_px, info.width_px))
        return max(1, round(info.height_px * scale)), max(1, round(info.width_px * scale))

    def encoder_px(self, encoder: Encoder) -> tuple[int, int]:
        """Returns the size `(H, W)` to decode to for an encoder that is fitted to the video."""
        info = self.index.info
        if encoder.takes_display_size and self.resized_by == "model":
            return info.height_px, info.width_px
        height, width = encoder.input_px
        return min(info.height_px, height), min(info.width_px, width)

    def pictures(self, indices: Sequence[int], max_side_px: int | None) -> Iterator[Frames]:
        """Yields the frames that a caller wants to see, as `frames` does, and reports each window.

        Args:
            indices: positions, ascending.
            max_side_px: longest side to scale them down to; None for the display size.
        """
        with progress_bar("decode", total=len(indices)) as bar:
            for window in self._decoded(indices, self.size_px(max_side_px), self.run.warn):
                yield window
                bar.update(len(window))

    def frames(
        self,
        indices: Sequence[int],
        size_px: tuple[int, int] | None = None,
        warn: Warn | None = None,
    ) -> Iterator[Frames]:
        """Yields the frames at ascending positions that can be decoded, a window at a time.

        More than one window is decoded in a thread, ahead of whoever works on the one before. Then
        stages overlap: `decode` is what decoding took, `wait` what of it nothing else was done in.

        Args:
            indices: positions, ascending.
            size_px: `(H, W)` to scale to; None for the display size.
            warn: called with what the decoder warns of; None for the run's own list.
        """
        warn = warn or self.run.warn
        if len(indices) <= WINDOW:
            yield from self._decoded(indices, size_px, warn)
            return
        run, ahead = self.run, self._ahead(indices, size_px, warn)
        try:
            while True:
                with run.timed("wait"):
                    window = next(ahead, None)
                if window is None:
                    return
                yield window
                del window
        finally:
            ahead.close()
            run.seconds["decode"] = run.seconds.get("decode", 0.0) + ahead.seconds

    def _ahead(
        self, indices: Sequence[int], size_px: tuple[int, int] | None, warn: Warn
    ) -> ReadAhead[Frames]:
        path, decode = self.path, self.decoder.decode
        ahead = ReadAhead(
            lambda warned: decode(path, indices, size_px=size_px, warn=warned), warn=warn
        )
        self.threads.callback(ahead.close)
        return ahead

    def _decoded(
        self, indices: Sequence[int], size_px: tuple[int, int] | None, warn: Warn
    ) -> Iterator[Frames]:
        windows = iter(self.decoder.decode(self.path, indices, size_px=size_px, warn=warn))
        while True:
            with self.run.timed("decode"):
                window = next(windows, None)
            if window is None:
                return
            yield window


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """Opens videos within limits, to be read by one decoder."""

    decoder: WithStills
    limits: FetchLimits
    site: SiteOptions = field(default_factory=SiteOptions)
    """What is taken of the pages of video sites."""
    resized_by: ResizedBy = "model"
    """What scales large frames down that an encoder takes at display size."""
    reading: TextReading = field(default_factory=TextReading)
    """Reads the text of videos."""

    def local(self, video: Video, run: Run) -> AbstractContextManager[LocalVideo]:
        """Gives a video as a file, and removes at the end what was fetched."""
        return opened(video, self.limits, self.site, run)

    @contextmanager
    def open(self, video: Video, run: Run) -> Iterator[FrameReader]:
        """Gives the frames of a video, and removes at the end what was fetched."""
        with self.local(video, run) as local:
            for line in local.warnings:
                run.warn(line)
            with ExitStack() as threads:
                yield FrameReader(
                    local=local,
                    compressed=video if isinstance(video, CompressedVideo) else None,
                    decoder=self.decoder,
                    run=run,
                    resized_by=self.resized_by,
                    reading=self.reading,
                    threads=threads,
                )

    def frames(
        self,
        video: Video,
        times_seconds: Sequence[float] | None,
        fps: float,
        max_side_px: int | None,
        run: Run,
    ) -> Frames:
        """Returns the frames shown at `times_seconds`, or sampled at `fps` where that is None."""
        max_side_px = side_px(max_side_px)
        if times_seconds is not None:
            times_seconds = ascending(times_seconds)
            if not times_seconds:
                raise InvalidOptionError(
                    "times_seconds=[] holds no time; give one, or None for the sampled frames"
                )
        with self.open(video, run) as reader:
            if times_seconds is None:
                indices = reader.sampled(fps)
            else:
                indices = sorted(set(at_times(reader.index, times_seconds)))
            return Frames.concatenate(list(reader.pictures(indices, max_side_px)))


@contextmanager
def opened(video: Video, limits: FetchLimits, site: SiteOptions, run: Run) -> Iterator[LocalVideo]:
    """Gives a video as a file, and removes what was fetched; a `LocalVideo` stays open."""
    if isinstance(video, LocalVideo):
        opening: AbstractContextManager[LocalVideo] = nullcontext(video)
    elif isinstance(video, Image):
        opening = picture_file(video, limits.max_pixels)
    else:
        address = video.address if isinstance(video, CompressedVideo) else video
        if isinstance(video, CompressedVideo) and video.report.uri == IN_MEMORY:
            raise UnsupportedSourceError(
                "a compressed picture that was given as an object has no file to be opened again; "
                "give the picture itself"
            )
        with run.timed("fetch"):
            opening = open_video(address, limits, site=site)
    with opening as local:
        yield local


def file_of(local: LocalVideo) -> Path:
    """Returns the file to decode.

    Raises:
        UnsupportedSourceError: the video was opened for its text only.
    """
    if local.path is None:
        raise UnsupportedSourceError(f"{local.uri!r} was opened for its text only; open it again")
    return local.path
