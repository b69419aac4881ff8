"""From a video to all its visual tokens: sampled, selected where there are too many, encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from framesift.compression.frame_tokens import FrameTokens, encode_frames
from framesift.compression.opening import FrameReader, Opener, Video
from framesift.compression.selection import FramePicker
from framesift.compression.stretches import Gate
from framesift.compression.text_places import with_text
from framesift.decoders.base import FrameIndex
from framesift.encoders.base import Encoder
from framesift.run import Run
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
        video: Video,
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
        with self.opener.open(video, run) as reader:
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
                decoder=self.opener.decoder.reader_spec(reader.path),
                seconds=run.seconds,
                warnings=run.warnings,
            )

    def _frame_tokens(
        self,
        reader: FrameReader,
        sampled: Sequence[int],
        question: str | None,
        signals: frozenset[str] | None,
    ) -> tuple[FrameTokens, SelectionReport | None]:
        if self.max_frames is None or len(sampled) <= self.max_frames:
            whole = encode_frames(reader, sampled, self.encoder, signals=signals, gate=self.gate)
            return whole, None
        selected = self.picker.pick(
            reader, sampled, count=self.max_frames, question=question, also=signals
        )
        # What was compared is encoded whole: nothing of it is a copy that could be dropped.
        drops = self.gate is not None and self.gate.still == "dropped"
        encoded = None if drops else selected.encoded(self.encoder, signals)
        if encoded is None:
            encoded = encode_frames(
                reader, selected.indices, self.encoder, signals=signals, gate=self.gate
            )
        return encoded, selected.report
