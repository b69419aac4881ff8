"""The one way through framesift: a video in, its budgeted tokens and keyframes out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter

from framesift.answering.chat import Chat
from framesift.answering.checks import check_question
from framesift.answering.generation import GREEDY, Generation, OnText
from framesift.answering.limits import Positions, encoder_memory_errors
from framesift.compression.encoded import Compression
from framesift.compression.pictures import Pictures
from framesift.compression.steps import Stages, Video
from framesift.errors import BudgetError, InvalidOptionError
from framesift.run import Run
from framesift.types.answer import Answer, EvidenceKind, Segment
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.frames import Frames
from framesift.types.moment import Moment
from framesift.types.options import side_px, whole
from framesift.types.video import Warn
from framesift.vlms.base import VLM

SECONDS_PER_SEGMENT = 15.0
"""How much of a video one segment covers on average, unless a count is given."""


@dataclass(frozen=True, kw_only=True)
class VideoCompressor(Compression):
    """Keeps what carries information of a video; the instance is the configuration.

    Every part may be given as a spec string such as `"temporal:threshold=0.9"` or as an object.
    """

    def keyframes(
        self,
        video: Video,
        count: int = 8,
        question: str | None = None,
        *,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Keyframe]:
        """Returns the `count` frames that the selector picks, in time order.

        Args:
            video: what to look at.
            count: number of frames; all sampled ones are returned where there are fewer.
            question: what the frames should help to answer, for selectors that read it.
            max_side_px: longest side to scale down to; None for the display size.
            warn: told each thing that went wrong without ending the work; logged by default.

        Raises:
            BudgetError: `count` is below 1.
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        return self._pictures.keyframes(Run(listener=warn), video, count, question, max_side_px)

    def segments(
        self,
        video: Video,
        question: str | None = None,
        *,
        count: int | None = None,
        warn: Warn | None = None,
    ) -> list[Segment]:
        """Returns what `moments` does without pictures, by default one stretch per 15 seconds."""
        return [part.segment for part in self.moments(video, question, count=count, warn=warn)]

    def moments(
        self,
        video: Video,
        question: str | None = None,
        *,
        count: int | None = None,
        seconds_each: float = SECONDS_PER_SEGMENT,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns stretches that cover the video, each with the picture that stands for it.

        Args:
            video: what to look at.
            question: what they should help to answer, for selectors that read it.
            count: number of stretches; None for as many as `seconds_each` gives.
            seconds_each: how much of the video one covers on average, where there is no `count`.
            max_side_px: longest side to scale pictures down to; None for the display size.
            warn: told each thing that went wrong without ending the work; logged by default.

        Raises:
            BudgetError: `count` is below 1.
        """
        run = Run(listener=warn)
        return self._pictures.moments(run, video, count, seconds_each, question, max_side_px)

    def frames(
        self,
        video: Video,
        times_seconds: Sequence[float] | None = None,
        *,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> Frames:
        """Returns the sampled frames, or those shown at `times_seconds`, all held in memory.

        Args:
            video: what to look at.
            times_seconds: ascending times; None samples at `fps`. A frame comes only once.
            max_side_px: longest side to scale down to; None for the display size.
            warn: told each thing that went wrong without ending the work; logged by default.
        """
        return self._pictures.frames(Run(listener=warn), video, times_seconds, max_side_px)

    def ask(
        self,
        video: Video | Sequence[Video],
        question: str,
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
        positions: Positions = "auto",
        on_text: OnText | None = None,
        warn: Warn | None = None,
    ) -> Answer:
        """Returns the answer of `vlm` to a question about one or several videos or pictures.

        Args:
            video: what to look at; several share one prompt, each compressed by itself unless it
                is already.
            question: about what they show.
            generation: how the answer is chosen.
            evidence: by which weights the stretches that it rests on are found; None for none.
            positions: as in `VLM.prompt`.
            on_text: told each piece of the answer as soon as it is certain.
            warn: told each thing that goes wrong with a video without ending the work, which the
                answer lists too; logged by default.

        Raises:
            InvalidOptionError: there is no `vlm`, no question, or no video.
            SourceError: a video cannot be fetched.
            DecodeError: a file cannot be decoded.
            BudgetError: prompt and answer exceed the context; says how many tokens to keep.
        """
        check_question(question)
        with self._chat(Run(listener=warn), video, question, positions) as chat:
            return chat.ask(question, generation=generation, evidence=evidence, on_text=on_text)

    def find(
        self,
        video: Video,
        query: str,
        count: int = 3,
        *,
        evidence: EvidenceKind = "auto",
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns up to `count` stretches that a query points at, the strongest first.

        There is none where nothing in the video is like the query (see `answering.search`), which a
        warning says.

        Args:
            video: what to look at.
            query: a question, or words for what is looked for.
            count: most stretches; fewer come where the rest weighs less than an average frame.
            evidence: by which weights they are found, as in `ask`.
            max_side_px: longest side to scale pictures down to; None for the display size.
            warn: told each thing that went wrong without ending the work; logged by default.

        Raises:
            BudgetError: `count` is below 1.
            InvalidOptionError: there is no `vlm`, or no query.
        """
        count = whole("count", count, "stretch", error=BudgetError)
        max_side_px = side_px(max_side_px)
        check_question(query)
        run = Run(listener=warn)
        with ExitStack() as opened:
            if not isinstance(video, CompressedVideo):
                stages = Stages(decoder=self._decoder, run=run)
                video = opened.enter_context(stages.open(video, self.limits))
            with self._chat(run, video, query, "auto") as chat:
                segments = chat.find(query, count, evidence=evidence, warn=run.warn)
            return self.pictured(video, segments, max_side_px=max_side_px, warn=run.warn)

    def pictured(
        self,
        video: Video,
        segments: Sequence[Segment],
        *,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns stretches with their pictures; one whose frame is not readable is left out.

        Args:
            video: what they are of.
            segments: such as the evidence of an answer, in the order to return them.
            max_side_px: longest side to scale pictures down to; None for the display size.
            warn: told each thing that went wrong without ending the work; logged by default.
        """
        return self._pictures.shown(Run(listener=warn), video, segments, max_side_px)

    def open(
        self,
        video: Video | Sequence[Video],
        *,
        positions: Positions = "auto",
        warn: Warn | None = None,
    ) -> Chat:
        """Returns a chat about videos that are encoded and read once, for many questions.

        Args:
            video: what to look at; several share one prompt, each compressed by itself unless it
                is already.
            positions: as in `VLM.prompt`.
            warn: told each thing that goes wrong with a video without ending the work, which each
                answer lists too; logged by default.

        Raises:
            InvalidOptionError: there is no `vlm`, no video, or the strategy reads the question.
            BudgetError: the visual tokens exceed the context; says how many to keep.
        """
        videos = [video] if isinstance(video, Video) else list(video)
        new = [one for one in videos if not isinstance(one, CompressedVideo)]
        if new and self.reads_question:
            raise InvalidOptionError(
                f"strategy {self._strategy.spec!r} keeps other tokens for each question, so a "
                "video cannot be read before one is asked; use ask, or another strategy"
            )
        return self._chat(Run(listener=warn), videos, None, positions).read()

    @property
    def answering_vlm(self) -> VLM:
        """The model that answers questions.

        Raises:
            InvalidOptionError: there is none, or `encoder` makes tokens that it cannot read.
        """
        if self._vlm is None:
            raise InvalidOptionError(
                "this VideoCompressor has no vlm to ask; give one, such as vlm='tiny'"
            )
        if self._encoder != self._vlm.encoder:
            raise InvalidOptionError(
                f"encoder={self._encoder.spec!r} makes tokens that {self._vlm.spec!r} cannot read; "
                "leave encoder out, so that the model's own tower is taken"
            )
        return self._vlm

    def _chat(
        self,
        run: Run,
        video: Video | Sequence[Video],
        question: str | None,
        positions: Positions,
    ) -> Chat:
        vlm = self.answering_vlm
        start = perf_counter()
        videos = [video] if isinstance(video, Video) else video
        with encoder_memory_errors(vlm):
            tokens = [
                one
                if isinstance(one, CompressedVideo)
                else self._compressed(run.within(), one, question)
                for one in videos
            ]
        seconds = perf_counter() - start
        if limit := vlm.limitation([one.report.uri for one in tokens]):
            run.warn(limit)
        return Chat(vlm, tokens, positions=positions, encode_seconds=seconds)

    @property
    def _pictures(self) -> Pictures:
        return Pictures(
            decoder=self._decoder, selector=self._selector, fps=self.fps, limits=self.limits
        )
