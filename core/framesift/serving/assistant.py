"""Answers for chat frameworks, which hand over the whole conversation each time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from threading import Event
from time import perf_counter
from typing import Final

from framesift.answering.checks import check_evidence
from framesift.answering.evidence import MOST_SEGMENTS
from framesift.answering.generation import GREEDY, Generation, OnText
from framesift.answering.search import Search
from framesift.answering.session import Session
from framesift.answering.stream import AnswerStream
from framesift.answering.text_beside import MAX_TEXT_TOKENS
from framesift.answering.warnings import limitation
from framesift.compression.compressor import VideoCompressor
from framesift.compression.finding import text_may_lack
from framesift.compression.opening import Video
from framesift.compression.prompt_text import PromptText
from framesift.errors import BudgetError
from framesift.hf.model_use import Once
from framesift.readers.base import created_readers
from framesift.run import Run
from framesift.serving._conversation_text import ConversationText, ReadVideos, reading_by
from framesift.serving._video_identity import video_identity
from framesift.serving.message import Message, grouped, text_of
from framesift.sources.base import open_video
from framesift.types.answer import Answer, EvidenceKind
from framesift.types.compressed import CompressedVideo
from framesift.types.moment import Moment
from framesift.types.options import whole
from framesift.types.question import check_question
from framesift.types.video import Warn
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Turn


class Assistant:
    """Answers conversations that are handed over whole, about videos, pictures or neither.

    The videos of the last conversation stay compressed and the LLM keeps what it has read, so that
    a longer conversation, or another question about the same video, costs only what is new.
    A file is the same while its size and modification time are, a link while its text is; a part
    of a video is another video.
    Threads may share an assistant, and assistants a model: they answer one after the other.
    """

    def __init__(self, compressor: VideoCompressor | Callable[[], VideoCompressor]) -> None:
        """Takes the settings and the model.

        Args:
            compressor: how videos are compressed, and the model that answers; or a function that
                returns this, called once, when it is first needed, so that the model loads then.

        Raises:
            InvalidOptionError: the compressor has no `vlm`, or an encoder of another model.
        """
        if isinstance(compressor, VideoCompressor):
            self._compressor = Once.made(compressor)
            self._session = Session(compressor.answering_vlm)
        else:
            self._compressor = Once(compressor)
            self._session = Session(partial(_model_of, self._compressor))
        self._search: Final = Search(self._session)
        self._held: dict[Hashable, CompressedVideo] = {}
        self._text: Final = ReadVideos()
        self._logged_limit: str | None = None

    @property
    def compressor(self) -> VideoCompressor:
        """How videos are compressed; the first access loads the model."""
        return self._compressor()

    def reply(
        self,
        messages: Sequence[Message],
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
        text: str | Sequence[str] | None = None,
        max_text_tokens: int = MAX_TEXT_TOKENS,
        on_text: OnText | None = None,
    ) -> Answer:
        """Returns what the model says next.

        Args:
            messages: the conversation, the user's last; those of one role in a row become one.
            generation: how the answer is chosen.
            evidence: how the stretches that the answer rests on are measured; None for no evidence.
            text: readers whose lines stand beside the videos, as in `VideoCompressor.ask`.
            max_text_tokens: most tokens of the lines that a question brings.
            on_text: called with each piece of the answer as soon as it is final, while the model is
                locked: it may use another assistant, but must not wait for a thread that uses this
                model.

        Raises:
            InvalidOptionError: there is no message, no such evidence, or text is not valid Unicode.
            SourceError: a video cannot be fetched.
            DecodeError: a file cannot be decoded.
            BudgetError: prompt and answer exceed the context; says how many tokens to keep.
            ModelError: the model's chat template refuses this order of roles.
        """
        check_evidence(evidence)
        turns, beside = grouped(messages), PromptText.of(text, max_text_tokens)
        return self._reply(turns, generation, evidence, beside, on_text, Event())

    def stream(
        self,
        messages: Sequence[Message],
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
        text: str | Sequence[str] | None = None,
        max_text_tokens: int = MAX_TEXT_TOKENS,
    ) -> AnswerStream:
        """Returns the answer piece by piece; arguments and errors are those of `reply`."""
        check_evidence(evidence)
        turns, beside = grouped(messages), PromptText.of(text, max_text_tokens)
        return AnswerStream(partial(self._reply, turns, generation, evidence, beside))

    def prompt_tokens(
        self,
        messages: Sequence[Message],
        *,
        text: str | Sequence[str] | None = None,
        max_text_tokens: int = MAX_TEXT_TOKENS,
    ) -> int:
        """Returns how many tokens the prompt of a conversation has, visual ones included.

        Its videos are compressed and held for the answer. Arguments and errors: as of `reply`.
        """
        beside = PromptText.of(text, max_text_tokens)
        with self._conversation(Run(), grouped(messages), beside, Event()) as (turns, read):
            written, _ = read.beside(self._session.vlm, turns)
            return len(self._session.vlm.prompt(written).input_ids)

    def compress(self, video: Video, question: str | None = None) -> CompressedVideo:
        """Returns `VideoCompressor.compress` of a video, when no other thread uses the model."""
        with self._on_this_machine(video) as local, self._session.alone():
            return self._compressed(Run(), local, question, None)

    def find(
        self,
        video: Video,
        query: str,
        count: int = MOST_SEGMENTS,
        *,
        evidence: EvidenceKind = "auto",
        text: str | Sequence[str] | None = None,
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns what `VideoCompressor.find` does, as a conversation of its own.

        A video that the last conversation was about is neither encoded nor read by the model again.
        Arguments and errors are those of `VideoCompressor.find`; `text` names the readers of this
        call, None those of the compressor.
        """
        count = whole("count", count, "stretch", error=BudgetError)
        check_question(query)
        check_evidence(evidence)
        run = Run(listener=warn)
        message = Message(role="user", text=query, videos=(video,))
        with self._on_this_machine(video) as local:
            if evidence == "auto":
                reading = reading_by(self.compressor, text)
                with text_may_lack(local, created_readers(reading.text), run):
                    found = reading.find_text(
                        local, query, count, max_side_px=max_side_px, warn=run.warn
                    )
                    if found:
                        return found
            fetched: dict[Video, Video] = {video: local} if isinstance(video, str) else {}
            with self._session.alone():
                turns = self._turns(run, [[message]], query, fetched)
                segments = self._search.find(run, turns[0].videos, query, evidence, count)
            return self.compressor.pictured(local, segments, max_side_px=max_side_px, warn=run.warn)

    def _reply(
        self,
        messages: Sequence[Sequence[Message]],
        generation: Generation,
        evidence: EvidenceKind | None,
        text: PromptText,
        on_text: OnText | None,
        cancelled: Event,
    ) -> Answer:
        run = Run()
        with self._conversation(run, messages, text, cancelled) as (turns, read):
            self._log_limitation(run, turns)
            if not turns[-1].text.strip() or not any(turn.videos for turn in turns):
                evidence = None
            written, lines = read.beside(self._session.vlm, turns)
            answer = self._session.answer(
                written,
                generation=generation,
                evidence=evidence,
                on_text=on_text,
                cancelled=cancelled,
            )
            return read.noted(answer, lines)

    @contextmanager
    def _conversation(
        self,
        run: Run,
        messages: Sequence[Sequence[Message]],
        text: PromptText,
        cancelled: Event,
    ) -> Iterator[tuple[list[Turn], ConversationText]]:
        """Gives the turns with their videos compressed and what was read, the model for oneself."""
        question = text_of(messages[-1])
        with ExitStack() as opened:
            fetched: dict[Video, Video] = {}
            for message in chain.from_iterable(messages):
                for video in message.videos:
                    key = self._key(video, message.fps, question)
                    if isinstance(video, str) and key not in self._held and video not in fetched:
                        fetched[video] = opened.enter_context(self._on_this_machine(video))
            read = self._text.of(self.compressor, messages, fetched, text)
            with self._session.alone(cancelled):
                yield self._turns(run, messages, question, fetched), read

    def _log_limitation(self, run: Run, turns: Sequence[Turn]) -> None:
        """Warns of the model's limitation, but not in each answer of a conversation anew."""
        limit = limitation(self._session.vlm, turns)
        if limit and limit != self._logged_limit:
            run.warn(limit)
        self._logged_limit = limit

    @contextmanager
    def _on_this_machine(self, video: Video) -> Iterator[Video]:
        """Gives a video whose file is here; a download must not keep others from the model."""
        if isinstance(video, str):
            compressor = self.compressor
            with open_video(video, compressor.limits, site=compressor.site) as local:
                yield local
        else:
            yield video

    def _turns(
        self,
        run: Run,
        messages: Sequence[Sequence[Message]],
        question: str,
        fetched: Mapping[Video, Video],
    ) -> list[Turn]:
        """Returns the conversation with its videos compressed, and holds these for later."""
        held: dict[Hashable, CompressedVideo] = {}
        turns = []
        shown = [(v, m.fps) for m in chain.from_iterable(messages) for v in m.videos]
        several = len({self._key(video, fps, question) for video, fps in shown}) > 1
        for of_one_role in messages:
            videos = []
            for message in of_one_role:
                for video in message.videos:
                    key = self._key(video, message.fps, question)
                    if key not in held:
                        local = fetched.get(video, video) if isinstance(video, str) else video
                        held[key] = self._held.get(key) or self._charged(
                            run, local, question, message.fps, named=several
                        )
                    videos.append(held[key])
            role = of_one_role[0].role
            turns.append(Turn(role=role, text=text_of(of_one_role), videos=tuple(videos)))
        self._held = held
        return turns

    def _charged(
        self, run: Run, video: Video, question: str, fps: float | None, *, named: bool
    ) -> CompressedVideo:
        """Returns a video compressed; its warnings begin with its name, as in the answer."""
        start, lines = perf_counter(), list[str]()
        compressed = self._compressed(Run(listener=lines.append), video, question, fps)
        self._session.charge(encode_seconds=perf_counter() - start)
        of_one = run.within(compressed.report.uri if named else "")
        for line in lines:
            of_one.warn(line)
        return compressed

    def _compressed(
        self, run: Run, video: Video, question: str | None, fps: float | None
    ) -> CompressedVideo:
        if isinstance(video, CompressedVideo):
            return video
        compressor = self.compressor if fps is None else replace(self.compressor, fps=fps)
        return compressor.compress(video, question, warn=run.warn)

    def _key(self, video: Video, fps: float | None, question: str) -> Hashable:
        return video_identity(video), fps, question if self.compressor.reads_question else None


def _model_of(compressor: Callable[[], VideoCompressor]) -> VLM:
    return compressor().answering_vlm
