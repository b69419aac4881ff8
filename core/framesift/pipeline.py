"""The one way through framesift: a video in, its budgeted tokens and keyframes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter

from framesift import outcomes
from framesift.chat import GREEDY, Chat, check_question
from framesift.decoders import registry as decoders
from framesift.decoders._sampling import at_fps, at_times
from framesift.decoders._still import WithStills
from framesift.decoders.base import Decoder, FrameIndex
from framesift.encoders import registry as encoders
from framesift.encoders._gate import check_gate
from framesift.encoders.base import Encoder
from framesift.errors import BudgetError, InvalidOptionError, MissingSignalError
from framesift.evidence import EvidenceKind
from framesift.generation import Generation, OnText
from framesift.registry import describe
from framesift.selectors import registry as selectors
from framesift.selectors.base import Selector
from framesift.sources.base import FetchLimits
from framesift.stages import Encoded, Stages, Video, file_of
from framesift.strategies.base import Strategy, create_strategy
from framesift.types.answer import Answer, Segment
from framesift.types.budget import Budget
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.frames import Frames
from framesift.types.video import LocalVideo, Warn
from framesift.vlms._load import load_vlm
from framesift.vlms._room import Positions, tower_memory_told
from framesift.vlms.base import VLM

SECONDS_PER_SEGMENT = 15.0
"""How much of a video one segment covers on average, unless a count is given."""


@dataclass(frozen=True, kw_only=True)
class VideoCompressor:
    """Keeps what carries information of a video; the instance is the configuration.

    Every part may be given as a spec string such as `"temporal:threshold=0.9"` or as an object.
    """

    strategy: str | Strategy = "temporal"
    """Decides which tokens survive."""
    keep: float = 0.25
    """Fraction of the tokens kept, in (0, 1]."""
    max_tokens: int | None = None
    """Most tokens kept; the smaller of this and `keep` wins."""
    vlm: str | VLM | None = None
    """Answers questions: a name, a hub id, a folder or a loaded model; None for no answers."""
    encoder: str | Encoder | None = None
    """Turns frames into tokens; None for the tower of `vlm`, or `"handcrafted"` without one."""
    selector: str | Selector = "keyframes"
    """Picks keyframes, and the frames to encode where `max_frames` is exceeded."""
    max_frames: int | None = None
    """Most frames that are encoded, None for all that were sampled."""
    gate: float | None = None
    """Least similarity to the last encoded frame at which one copies its tokens; None for never."""
    decoder: str | Decoder = "pyav"
    """Reads the file."""
    fps: float = 1.0
    """Frames sampled per second of video."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    """What a download may cost and where it may go."""

    def __post_init__(self) -> None:
        Budget(keep=self.keep, max_tokens=self.max_tokens)
        if self.max_frames is not None and self.max_frames < 1:
            raise BudgetError(f"max_frames={self.max_frames!r} must be at least 1")
        check_gate(self.gate)
        if missing := sorted(self._strategy.required_signals - self._encoder.gives):
            raise MissingSignalError(outcomes.missing_line(self._strategy, self._encoder, missing))
        _ = self._selector, self._decoder

    @cached_property
    def _strategy(self) -> Strategy:
        return create_strategy(self.strategy)

    @cached_property
    def _vlm(self) -> VLM | None:
        return None if self.vlm is None else load_vlm(self.vlm)

    @cached_property
    def _encoder(self) -> Encoder:
        if self.encoder is not None or self._vlm is None:
            return encoders.create(self.encoder or "handcrafted")
        return self._vlm.encoder

    @cached_property
    def _selector(self) -> Selector:
        return selectors.create(self.selector)

    @cached_property
    def _decoder(self) -> WithStills:
        return WithStills(videos=decoders.create(self.decoder))

    def compress(self, video: Video, question: str | None = None) -> CompressedVideo:
        """Returns exactly the budgeted tokens of a video, with their times, places and a report.

        Raises:
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        stages = Stages(decoder=self._decoder)
        with stages.open(video, self.limits) as local:
            with stages.timed("decode"):
                index = self._decoder.index(file_of(local))
            encoded = self._encoded(stages, local, index, question)
        budget = Budget(keep=self.keep, max_tokens=self.max_tokens).tokens(encoded.tokens.count)
        with stages.timed("plan"):
            plan = self._strategy.plan(encoded.tokens, budget, question)
        return outcomes.compressed(
            stages,
            local,
            index,
            encoded,
            plan,
            budget=budget,
            keep=self.keep,
            max_tokens=self.max_tokens,
            strategy=self._strategy.spec,
            encoder=self._encoder.spec,
            selector=None if self.max_frames is None else describe(self._selector),
            decoder=self._decoder.spec(file_of(local)),
            fps=self.fps,
            gate=self.gate,
            region=self._encoder.fitted(index.info).region(index.info),
        )

    def keyframes(
        self,
        video: Video,
        count: int = 8,
        question: str | None = None,
        *,
        warn: Warn | None = None,
    ) -> list[Keyframe]:
        """Returns the `count` frames that the selector picks, in time order, at display size.

        Args:
            video: what to look at.
            count: number of frames; all sampled ones are returned where there are fewer.
            question: what the frames should help to answer, for selectors that read it.
            warn: told each thing that went wrong without ending the work; logged by default.

        Raises:
            BudgetError: `count` is below 1.
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        if count < 1:
            raise BudgetError(f"count={count!r} must be at least 1 frame")
        stages = Stages(decoder=self._decoder, listener=warn)
        with stages.open(video, self.limits) as local:
            path = file_of(local)
            index = self._decoder.index(path)
            sampled = at_fps(index, self.fps)
            selected = stages.select(
                path, index, sampled, selector=self._selector, count=count, question=question
            )
            if len(selected.indices) < count:
                stages.warn(
                    f"{count} keyframes were asked, all {len(selected.indices)} sampled frames "
                    "are kept"
                )
            return outcomes.keyframes(stages, local, index, selected)

    def segments(
        self,
        video: Video,
        question: str | None = None,
        *,
        count: int | None = None,
    ) -> list[Segment]:
        """Returns stretches that cover the video, each with its text and the frame it rests on.

        Args:
            video: what to look at.
            question: what the segments should help to answer, for selectors that read it.
            count: number of segments; one per 15 seconds by default.
        """
        with Stages(decoder=self._decoder).open(video, self.limits) as local:
            info = self._decoder.index(file_of(local)).info
            if count is None:
                count = max(1, round(info.duration_seconds / SECONDS_PER_SEGMENT))
            frames = self.keyframes(local, count, question)
            return outcomes.segments(local, info, frames)

    def frames(
        self,
        video: Video,
        times_seconds: Sequence[float] | None = None,
        *,
        max_side_px: int | None = None,
    ) -> Frames:
        """Returns the sampled frames, or those shown at `times_seconds`, all held in memory.

        Args:
            video: what to look at.
            times_seconds: ascending times; None samples at `fps`. A frame comes only once.
            max_side_px: longest side to scale down to; None for the display size.
        """
        stages = Stages(decoder=self._decoder)
        with stages.open(video, self.limits) as local:
            path = file_of(local)
            index = self._decoder.index(path)
            if times_seconds is None:
                wanted = at_fps(index, self.fps)
            else:
                wanted = sorted(set(at_times(index, times_seconds)))
            size_px = None if max_side_px is None else outcomes.fitted(index.info, max_side_px)
            return Frames.concatenate(list(stages.frames(path, wanted, size_px)))

    def ask(
        self,
        video: Video | Sequence[Video],
        question: str,
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "similarity",
        positions: Positions = "auto",
        on_text: OnText | None = None,
    ) -> Answer:
        """Returns the answer of `vlm` to a question about one or several videos or pictures.

        Args:
            video: what to look at; several share one prompt, each compressed by itself.
            question: about what they show.
            generation: how the answer is chosen.
            evidence: by which weights the stretches that it rests on are found; None for none.
            positions: as in `VLM.prompt`.
            on_text: told each piece of the answer as soon as it is certain.

        Raises:
            InvalidOptionError: there is no `vlm`, no question, or no video.
            SourceError: a video cannot be fetched.
            DecodeError: a file cannot be decoded.
            BudgetError: prompt and answer exceed the context; says how many tokens to keep.
        """
        check_question(question)
        with self._chat(video, question, positions) as chat:
            return chat.ask(question, generation=generation, evidence=evidence, on_text=on_text)

    def open(self, video: Video | Sequence[Video], *, positions: Positions = "auto") -> Chat:
        """Returns a chat about videos that are encoded and read once, for many questions.

        Args:
            video: what to look at; several share one prompt, each compressed by itself.
            positions: as in `VLM.prompt`.

        Raises:
            InvalidOptionError: there is no `vlm`, no video, or the strategy reads the question.
            BudgetError: the visual tokens exceed the context; says how many to keep.
        """
        if self._strategy.is_per_question:
            raise InvalidOptionError(
                f"strategy {self._strategy.spec!r} keeps other tokens for each question, so a "
                "video cannot be read before one is asked; use ask, or another strategy"
            )
        return self._chat(video, None, positions).read()

    def _chat(
        self, video: Video | Sequence[Video], question: str | None, positions: Positions
    ) -> Chat:
        if self._vlm is None:
            raise InvalidOptionError(
                "this VideoCompressor has no vlm to ask; give one, such as vlm='tiny'"
            )
        if self._encoder != self._vlm.encoder:
            raise InvalidOptionError(
                f"encoder={self._encoder.spec!r} makes tokens that {self._vlm.spec!r} cannot read; "
                "leave encoder out, so that the model's own tower is taken"
            )
        start = perf_counter()
        videos = [video] if isinstance(video, Video) else video
        with tower_memory_told(self._vlm):
            tokens = [self.compress(one, question) for one in videos]
        seconds = perf_counter() - start
        return Chat(self._vlm, tokens, positions=positions, encode_seconds=seconds)

    def _encoded(
        self, stages: Stages, local: LocalVideo, index: FrameIndex, question: str | None
    ) -> Encoded:
        path, sampled = file_of(local), at_fps(index, self.fps)
        if self.max_frames is None or len(sampled) <= self.max_frames:
            return stages.encode(path, index, sampled, self._encoder, gate=self.gate)
        selected = stages.select(
            path, index, sampled, selector=self._selector, count=self.max_frames, question=question
        )
        if selected.seen is not None and selected.seen.encoder == self._encoder:
            return selected.seen.frames(selected.indices)
        return stages.encode(path, index, selected.indices, self._encoder, gate=self.gate)
