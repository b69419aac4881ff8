"""From a video to all its visual tokens: sampled, selected where there are too many, encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from framesift.compression.decoded import DecodedVideo
from framesift.compression.frame_tokens import FrameTokens, encode_frames
from framesift.compression.opening import FrameReader, Opener, Video
from framesift.compression.selection import FramePicker
from framesift.compression.stretches import Gate
from framesift.compression.text_places import with_text
from framesift.decoders.base import FrameIndex
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError
from framesift.run import Run
from framesift.types.frames import Frames
from framesift.types.options import ResizedBy
from framesift.types.selection import SelectionReport
from framesift.types.tokens import VideoTokens
from framesift.types.video import LocalVideo, VideoInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedVideo:
    """All visual tokens of a video, ready for any strategy and any budget."""

    local: LocalVideo
    """Where it came from; its file may be gone by now."""
    index: FrameIndex
    """The frames of the file."""
    encoded: FrameTokens
    """The tokens, and which frames they are of."""
    fps: float
    """Frames sampled per second of video."""
    gate: Gate | None
    """Which patches were not encoded again; None where all were."""
    resized_by: ResizedBy | None
    """What scaled large frames down; None where the encoder leaves it to the decoder."""
    selector: str | None
    """Spec string of what picked frames where too many were sampled; None without such a limit."""
    selection: SelectionReport | None
    """How frames were picked, None where none had to be left out."""
    decoder: str
    """Spec string of what read the file."""
    seconds: dict[str, float]
    """What each stage took."""
    warnings: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> VideoTokens:
        """The tokens `(T, N, D)` with their times and signals."""
        return self.encoded.tokens

    def __repr__(self) -> str:
        return f"EncodedVideo({self.local.uri!r}, {self.tokens!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The frames of a video to encode, and the encoder."""

    opener: Opener
    encoder: Encoder
    picker: FramePicker
    fps: float
    max_frames: int | None
    gate: Gate | None
    places_text: bool = False
    """Whether the tokens tell where on the frames text was read."""

    def encode(
        self,
        video: Video | DecodedVideo,
        question: str | None,
        run: Run,
        check_time: Callable[[VideoInfo, int], None],
        signals: frozenset[str] | None,
    ) -> EncodedVideo:
        """Returns all tokens of a video.

        Args:
            video: what to look at.
            question: for a selector that reads it.
            run: the call that this is a part of.
            check_time: refuses a number of frames whose plan would take too long, before any is
                decoded.
            signals: what the encoder fills besides the features; None for all that it gives.
        """
        with self._opened(video, run) as reader:
            if isinstance(video, DecodedVideo):
                wanted, selection = video.wanted, video.selection
                check_time(reader.index.info, len(wanted))
                encoded = self._encoded(reader, wanted, signals)
            else:
                sampled = reader.sampled(self.fps)
                check_time(reader.index.info, min(len(sampled), self.max_frames or len(sampled)))
                encoded, selection = self._frame_tokens(reader, sampled, question, signals)
            if self.places_text:
                region = self.encoder.fitted(reader.index.info).region(reader.index.info)
                tokens = with_text(encoded.tokens, reader.lines, encoded.views or [region])
                encoded = replace(encoded, tokens=tokens)
            return EncodedVideo(
                local=reader.local,
                index=reader.index,
                encoded=encoded,
                fps=self.fps,
                gate=self.gate,
                resized_by=self.opener.resized_by if self.encoder.takes_display_size else None,
                selector=None if self.max_frames is None else self.picker.selector.spec,
                selection=selection,
                decoder=self._decoder(video, reader),
                seconds=run.seconds,
                warnings=run.warnings,
            )

    def decode(
        self,
        video: Video,
        question: str | None,
        run: Run,
        check_time: Callable[[VideoInfo, int], None],
    ) -> DecodedVideo:
        """Returns the frames that `encode` makes tokens of, at the size that the encoder takes.

        Args:
            video: what to look at.
            question: for a selector that reads it.
            run: the call that this is a part of.
            check_time: as in `encode`.

        Raises:
            InvalidOptionError: the tokens need text, which is read from the file.
        """
        if self.places_text:
            raise InvalidOptionError(
                "the strategy looks where text stands, which is read from the file; leave decoding "
                "and encoding together"
            )
        with self.opener.open(video, run) as reader:
            wanted, selection = reader.sampled(self.fps), None
            check_time(reader.index.info, min(len(wanted), self.max_frames or len(wanted)))
            if self.max_frames is not None and len(wanted) > self.max_frames:
                picked = self.picker.pick(reader, wanted, count=self.max_frames, question=question)
                wanted, selection = picked.indices, picked.report
            fitted = self.encoder.fitted(reader.index.info, len(wanted))
            size_px = None if fitted.views is not None else reader.encoder_px(fitted)
            return DecodedVideo(
                local=replace(reader.local, path=None, temporary_folder=None, held=None),
                name=reader.path.name,
                index=reader.index,
                wanted=tuple(wanted),
                frames=Frames.concatenate(list(reader.frames(wanted, size_px))),
                size_px=size_px,
                fps=self.fps,
                selection=selection,
                decoder=self.opener.decoder.reader_spec(reader.path),
            )

    def _opened(self, video: Video | DecodedVideo, run: Run) -> AbstractContextManager[FrameReader]:
        """Gives the frames of a video, which may be decoded already.

        Raises:
            InvalidOptionError: they were sampled at another rate.
        """
        if not isinstance(video, DecodedVideo):
            return self.opener.open(video, run)
        if video.fps != self.fps:
            raise InvalidOptionError(
                f"the frames were sampled at fps={video.fps:g}, not {self.fps:g}; decode and "
                "encode with the same options"
            )
        return video.opened(run)

    def _decoder(self, video: Video | DecodedVideo, reader: FrameReader) -> str:
        if isinstance(video, DecodedVideo):
            return video.decoder
        return self.opener.decoder.reader_spec(reader.path)

    def _encoded(
        self, reader: FrameReader, indices: Sequence[int], signals: frozenset[str] | None
    ) -> FrameTokens:
        return encode_frames(reader, indices, self.encoder, signals=signals, gate=self.gate)

    def _frame_tokens(
        self,
        reader: FrameReader,
        sampled: Sequence[int],
        question: str | None,
        signals: frozenset[str] | None,
    ) -> tuple[FrameTokens, SelectionReport | None]:
        if self.max_frames is None or len(sampled) <= self.max_frames:
            return self._encoded(reader, sampled, signals), None
        selected = self.picker.pick(
            reader, sampled, count=self.max_frames, question=question, also=signals
        )
        # What was compared is encoded whole: nothing of it is a copy that could be dropped.
        drops = self.gate is not None and self.gate.still == "dropped"
        encoded = None if drops else selected.encoded(self.encoder, signals)
        if encoded is None:
            encoded = self._encoded(reader, selected.indices, signals)
        return encoded, selected.report
