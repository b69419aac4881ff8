"""`VideoCompressor`: a video in, its budgeted tokens, keyframes, segments and answers out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from framesift.answering.chat import Chat
from framesift.answering.generation import GREEDY, Generation, OnText
from framesift.answering.limits import Positions
from framesift.answering.text_beside import MAX_TEXT_TOKENS
from framesift.compression.configuration import Configuration
from framesift.compression.decoded import DecodedVideo
from framesift.compression.encoding import EncodedVideo
from framesift.compression.moments import SECONDS_PER_SEGMENT
from framesift.compression.opening import Video
from framesift.compression.prompt_text import PromptText
from framesift.readers.base import Reader
from framesift.run import Run
from framesift.types.answer import Answer, EvidenceKind, Segment
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.frames import Frames
from framesift.types.moment import Moment
from framesift.types.selection import SelectionReport
from framesift.types.text import whole_characters
from framesift.types.transcript import Transcript
from framesift.types.video import Warn


@dataclass(frozen=True, kw_only=True)
class VideoCompressor(Configuration):
    """Keeps what carries information of a video; the instance is the configuration.

    Parts may be given as spec strings such as `"temporal:threshold=0.9"` or as objects.

    What the methods share:

    - `video` is an address, a path, an open `LocalVideo`, a PIL image or a `CompressedVideo`. It
      raises `SourceError` where it cannot be fetched, `DecodeError` where it cannot be decoded.
    - `question` is what the result should help to answer, for parts that read it.
    - `max_side_px` is the longest side that pictures are scaled down to; None for the display size.
    - `warn` is called with each warning, which a report or an answer lists too; else it is logged.
    """

    def compress(
        self,
        video: Video | DecodedVideo,
        question: str | None = None,
        *,
        warn: Warn | None = None,
    ) -> CompressedVideo:
        """Returns exactly the budgeted tokens of a video, with their times, places and a report.

        Raises:
            InvalidOptionError: the strategy compares tokens with a question, and there is none.
        """
        return self._pipeline.compress(video, question, Run(listener=warn))

    def decode(
        self, video: Video, question: str | None = None, *, warn: Warn | None = None
    ) -> DecodedVideo:
        """Returns the frames that `compress` makes tokens of, to be given to it elsewhere."""
        return self._pipeline.decode(video, question, Run(listener=warn))

    def encode(
        self,
        video: Video | DecodedVideo,
        question: str | None = None,
        *,
        signals: Collection[str] | None = None,
        warn: Warn | None = None,
    ) -> EncodedVideo:
        """Returns all tokens of a video, for `reduce` with several strategies or budgets.

        `question` is for a selector, where more frames than `max_frames` are sampled; `signals` are
        those that strategies read, such as `{"attention"}`; None for all, which takes longer.
        """
        return self._pipeline.encode(video, question, Run(listener=warn), signals)

    def reduce(
        self, video: EncodedVideo, question: str | None = None, *, warn: Warn | None = None
    ) -> CompressedVideo:
        """Returns exactly the budgeted tokens of a video that this configuration's encoder read.

        Raises:
            InvalidOptionError: another encoder made them, or the strategy lacks a question.
        """
        run = Run(listener=warn, seconds=dict(video.seconds), warnings=list(video.warnings))
        return self._pipeline.reduce(video, question, run)

    def keyframes(
        self,
        video: Video,
        count: int = 8,
        question: str | None = None,
        *,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Keyframe]:
        """Returns the `count` frames that the selector picks, or all sampled ones, in time order.

        Raises:
            BudgetError: `count` is below 1.
        """
        keyframes = self._pipeline.keyframes
        return keyframes.pick(video, count, question, max_side_px, Run(listener=warn))

    def select(
        self,
        video: Video,
        count: int = 8,
        question: str | None = None,
        *,
        warn: Warn | None = None,
    ) -> SelectionReport:
        """Returns which `count` frames the selector picks, with scores, reasons and cost.

        Raises:
            BudgetError: `count` is below 1.
            InvalidOptionError: the selector lacks a question.
        """
        return self._pipeline.keyframes.choose(video, count, question, Run(listener=warn))

    def segments(
        self,
        video: Video,
        question: str | None = None,
        *,
        count: int | None = None,
        warn: Warn | None = None,
    ) -> list[Segment]:
        """Returns what `moments` does without pictures, by default one segment per 15 seconds."""
        return [moment.segment for moment in self.moments(video, question, count=count, warn=warn)]

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
        """Returns segments that cover the video, each with the picture that stands for it.

        There are `count` of them, or as many as `seconds_each`, what one covers on average, gives.

        Raises:
            BudgetError: `count` is below 1.
        """
        moments, run = self._pipeline.moments, Run(listener=warn)
        return moments.covering(video, count, seconds_each, question, max_side_px, run)

    def transcript(self, video: Video, *, warn: Warn | None = None) -> Transcript:
        """Returns what the readers of `text` find said and written in a video, or a part of it."""
        run = Run(listener=warn)
        with self._pipeline.opener.open(video, run) as reader:
            read = reader.transcript
        return read.model_copy(update={"warnings": list(map(whole_characters, run.warnings))})

    def frames(
        self,
        video: Video,
        times_seconds: Sequence[float] | None = None,
        *,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> Frames:
        """Returns the sampled frames, or those shown at `times_seconds`, all held in memory.

        The times ascend; a frame that is shown at several of them comes once.
        """
        opener, run = self._pipeline.opener, Run(listener=warn)
        return opener.frames(video, times_seconds, self.fps, max_side_px, run)

    def ask(
        self,
        video: Video | Sequence[Video],
        question: str,
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
        positions: Positions = "auto",
        text: str | Reader | Sequence[str | Reader] | None = None,
        max_text_tokens: int = MAX_TEXT_TOKENS,
        on_text: OnText | None = None,
        warn: Warn | None = None,
    ) -> Answer:
        """Returns the answer of `vlm` to a question about one or several videos or pictures.

        Args:
            video: what to look at; several share one prompt, each compressed by itself.
            question: about what they show.
            generation: how the answer is chosen.
            evidence: how the segments that it rests on are measured; None for none.
            positions: as in `VLM.prompt`.
            text: readers whose lines stand in the prompt beside the pictures, such as `"screen"`;
                None for the pictures alone.
            max_text_tokens: most tokens of these lines; beyond, those nearest to the question.
            on_text: called with each piece of the answer as soon as it is certain.
            warn: called with each warning, which the answer lists too.

        Raises:
            InvalidOptionError: there is no `vlm`, no question, or no video.
            BudgetError: prompt and answer exceed the context; says how many tokens to keep.
        """
        asking, run = self._pipeline.asking, Run(listener=warn)
        beside = PromptText.of(text, max_text_tokens)
        return asking.ask(video, question, generation, evidence, positions, on_text, run, beside)

    def find(
        self,
        video: Video,
        query: str,
        count: int = 3,
        *,
        evidence: EvidenceKind = "auto",
        embedding: str | None = None,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns up to `count` moments that a query points at, the strongest first.

        They are those that `find_text` finds in what the readers of `text` read; where that has
        nothing of the query, those whose pictures `vlm` finds like it, if there is one. Where
        neither has anything, the list is empty, and a warning says so.

        Args:
            video: what to look at.
            query: a question, or words for what is looked for.
            count: most moments; fewer come where the rest weighs less than an average frame.
            evidence: `"auto"`, or one of `ask` to look at the pictures alone.
            embedding: as in `find_text`.
            max_side_px: longest side of the pictures.
            warn: called with each warning.

        Raises:
            BudgetError: `count` is below 1.
            InvalidOptionError: there is no query, or neither a `vlm` nor text.
        """
        finding, run = self._pipeline.finding, Run(listener=warn)
        return finding.find(video, query, count, evidence, embedding, max_side_px, run)

    def find_text(
        self,
        video: Video,
        query: str,
        count: int = 3,
        *,
        embedding: str | None = None,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns up to `count` moments whose text a query points at, the strongest first.

        They are found by the words of the query, or by `embedding`, the hub id or folder of a text
        encoder that compares meanings, such as intfloat/multilingual-e5-small. The list is empty
        where nothing is found.

        Raises:
            BudgetError: `count` is below 1.
            InvalidOptionError: there is no query.
        """
        finding, run = self._pipeline.finding, Run(listener=warn)
        return finding.by_text(video, query, count, embedding, max_side_px, run)

    def pictured(
        self,
        video: Video,
        segments: Sequence[Segment],
        *,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns segments, such as an answer's evidence, with the pictures that can be read."""
        return self._pipeline.moments.pictured(video, segments, max_side_px, Run(listener=warn))

    def open(
        self,
        video: Video | Sequence[Video],
        *,
        positions: Positions = "auto",
        text: str | Reader | Sequence[str | Reader] | None = None,
        max_text_tokens: int = MAX_TEXT_TOKENS,
        warn: Warn | None = None,
    ) -> Chat:
        """Returns a chat about videos that are encoded and read once, for many questions.

        `text` and `max_text_tokens` are as in `ask`.

        Raises:
            InvalidOptionError: there is no `vlm`, no video, or a part that reads the question.
            BudgetError: the visual tokens exceed the context; says how many to keep.
        """
        beside = PromptText.of(text, max_text_tokens)
        return self._pipeline.asking.open(video, positions, Run(listener=warn), beside)
