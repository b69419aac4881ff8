"""From a video to the tokens that survive, in two steps, so that one encoding serves many plans."""

from __future__ import annotations

from dataclasses import dataclass, field

from framesift.compression import outcomes
from framesift.compression.parts import Parts
from framesift.compression.steps import Encoded, Stages, Video, file_of
from framesift.decoders.base import FrameIndex
from framesift.decoders.sampling import at_fps, covered
from framesift.errors import InvalidOptionError
from framesift.run import Run
from framesift.types.budget import Budget
from framesift.types.compressed import CompressedVideo
from framesift.types.tokens import VideoTokens
from framesift.types.video import LocalVideo, Warn


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedVideo:
    """All visual tokens of a video, ready for any strategy and any budget."""

    local: LocalVideo
    """Where it came from; its file may be gone by now."""
    index: FrameIndex
    """The frames of the file."""
    encoded: Encoded
    """The tokens, and which frames they are of."""
    seconds: dict[str, float]
    """What each stage took."""
    warnings: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> VideoTokens:
        """The tokens `(T, N, D)` with their times and signals."""
        return self.encoded.tokens

    def __repr__(self) -> str:
        return f"EncodedVideo({self.local.uri!r}, {self.tokens!r})"


@dataclass(frozen=True, kw_only=True)
class Compression(Parts):
    """A configuration that encodes videos and leaves the budgeted tokens of them."""

    def compress(
        self, video: Video, question: str | None = None, *, warn: Warn | None = None
    ) -> CompressedVideo:
        """Returns exactly the budgeted tokens of a video, with their times, places and a report.

        Args:
            video: what to look at.
            question: what the tokens should help to answer, for strategies that read it.
            warn: told each thing that went wrong without ending the work, which the report lists
                too; logged by default.

        Raises:
            InvalidOptionError: the strategy compares tokens with a question, and there is none.
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        return self._compressed(Run(listener=warn), video, question)

    def encode(
        self, video: Video, question: str | None = None, *, warn: Warn | None = None
    ) -> EncodedVideo:
        """Returns all tokens of a video, for `reduce` with several strategies or budgets.

        Args:
            video: what to look at.
            question: for a selector that reads it, where more frames than `max_frames` are sampled.
            warn: told each thing that went wrong without ending the work; logged by default.

        Raises:
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        return self._encode(Run(listener=warn), video, question)

    def reduce(
        self, video: EncodedVideo, question: str | None = None, *, warn: Warn | None = None
    ) -> CompressedVideo:
        """Returns exactly the budgeted tokens of a video that this configuration's encoder read.

        Raises:
            InvalidOptionError: another encoder made the tokens, or the strategy compares them with
                a question, and there is none.
        """
        run = Run(listener=warn, seconds=dict(video.seconds), warnings=list(video.warnings))
        return self._reduced(run, video, question)

    def _compressed(self, run: Run, video: Video, question: str | None) -> CompressedVideo:
        self._check_asked(question)
        return self._reduced(run, self._encode(run, video, question), question)

    def _encode(self, run: Run, video: Video, question: str | None) -> EncodedVideo:
        stages = Stages(decoder=self._decoder, run=run)
        with stages.open(video, self.limits) as local:
            index = stages.index(local)
            encoded = self._encoded(stages, local, index, question)
        return EncodedVideo(
            local=local,
            index=index,
            encoded=encoded,
            seconds=run.seconds,
            warnings=run.warnings,
        )

    def _reduced(self, run: Run, video: EncodedVideo, question: str | None) -> CompressedVideo:
        self._check_asked(question)
        if video.encoded.encoder != self._encoder:
            raise InvalidOptionError(
                f"the tokens of {video.local.uri!r} are made by {video.encoded.encoder.spec!r}, "
                f"not by {self._encoder.spec!r}; encode the video with this configuration"
            )
        stages = Stages(decoder=self._decoder, run=run)
        encoded, index, part = video.encoded, video.index, video.local.part_seconds
        budget = Budget(keep=self.keep, max_tokens=self.max_tokens).tokens(encoded.tokens.count)
        plan = self._planned(stages, encoded.tokens, budget, question)
        return outcomes.compressed(
            stages,
            video.local,
            index,
            encoded,
            plan,
            part_seconds=None if part is None else covered(index.info, part),
            budget=budget,
            keep=self.keep,
            max_tokens=self.max_tokens,
            strategy=self._strategy.spec,
            encoder=self._encoder.spec,
            weights=self._encoder.weights,
            question=question if self.reads_question else None,
            selector=None if self.max_frames is None else self._selector.spec,
            decoder=self._decoder.reader_spec(file_of(video.local)),
            fps=self.fps,
            gate=self.gate,
            region=self._encoder.fitted(index.info).region(index.info),
        )

    def _encoded(
        self, stages: Stages, local: LocalVideo, index: FrameIndex, question: str | None
    ) -> Encoded:
        path, sampled = file_of(local), at_fps(index, self.fps, local.part_seconds)
        self._check_time(index.info, min(len(sampled), self.max_frames or len(sampled)))
        if self.max_frames is None or len(sampled) <= self.max_frames:
            return stages.encode(path, index, sampled, self._encoder, gate=self.gate)
        selected = stages.select(
            path, index, sampled, selector=self._selector, count=self.max_frames, question=question
        )
        if selected.seen is not None and selected.seen.encoder == self._encoder:
            return selected.seen.frames(selected.indices)
        return stages.encode(path, index, selected.indices, self._encoder, gate=self.gate)
