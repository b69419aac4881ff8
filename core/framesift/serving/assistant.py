"""Answers for chat frameworks, which hand over the whole conversation each time."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, groupby
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Final, Literal

from PIL.Image import Image

from framesift.answering.evidence import MOST_SEGMENTS
from framesift.answering.generation import Generation, OnText
from framesift.answering.limits import tower_memory_told
from framesift.answering.search import Search
from framesift.answering.session import GREEDY, Reader, check_evidence, check_question, limitation
from framesift.answering.stream import AnswerStream
from framesift.compression.compressor import VideoCompressor
from framesift.compression.steps import Video
from framesift.errors import BudgetError, InvalidOptionError
from framesift.fetching.parts import split_part
from framesift.hf.model_use import alone_with
from framesift.run import Run
from framesift.sources.base import open_video
from framesift.sources.file import file_path
from framesift.types.answer import Answer, EvidenceKind
from framesift.types.compressed import CompressedVideo
from framesift.types.moment import Moment
from framesift.types.options import Options, whole
from framesift.types.video import LocalVideo, Warn
from framesift.vlms.base import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Options):
    """One message of a conversation; its videos and pictures stand before its text."""

    role: Literal["user", "assistant", "system"]
    text: str = ""
    videos: tuple[Video, ...] = ()
    fps: float | None = None
    """Frames sampled per second of its videos; None for as many as the compressor says."""


class Assistant:
    """Answers conversations that are handed over whole, about videos, pictures or neither.

    The videos of the last conversation stay compressed and the LLM keeps what it read, so that a
    conversation which goes on, or asks or searches the same video again, pays for what is new only.
    A file counts as the same while its size and its time of change do, a link while its text does;
    a video and a part of it are two.
    Threads may share an assistant, and assistants a model: they answer one after the other.
    """

    def __init__(self, compressor: VideoCompressor) -> None:
        """Takes the settings and the model.

        Raises:
            InvalidOptionError: the compressor has no `vlm`, or an encoder of another model.
        """
        self.compressor: Final = compressor
        self._reader: Final = Reader(compressor.answering_vlm)
        self._search: Final = Search(self._reader)
        self._held: dict[Hashable, CompressedVideo] = {}
        self._noted: str | None = None
        """The last limit of the model that was logged."""

    def reply(
        self,
        messages: Sequence[Message],
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
        on_text: OnText | None = None,
    ) -> Answer:
        """Returns what the model says next.

        Args:
            messages: the conversation, the user's last; those of one role in a row become one.
            generation: how the answer is chosen.
            evidence: by which weights the stretches that it rests on are found; None for none.
            on_text: told each piece of the answer as soon as it is certain, while the model is
                held: it may ask another assistant, but wait for no thread that asks.

        Raises:
            InvalidOptionError: no message, no such evidence, or text that is no text.
            SourceError: a video cannot be fetched.
            DecodeError: a file cannot be decoded.
            BudgetError: prompt and answer exceed the context; says how many tokens to keep.
            ModelError: the model's chat template refuses this order of roles.
        """
        runs = _checked(messages, evidence)
        return self._reply(runs, generation, evidence, on_text, Event())

    def stream(
        self,
        messages: Sequence[Message],
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
    ) -> AnswerStream:
        """Returns the answer piece by piece; arguments and errors are those of `reply`."""
        runs = _checked(messages, evidence)
        return AnswerStream(
            lambda on_text, cancelled: self._reply(runs, generation, evidence, on_text, cancelled)
        )

    def compress(self, video: Video, question: str | None = None) -> CompressedVideo:
        """Returns `VideoCompressor.compress` of a video, when no other thread uses the model."""
        with self._fetched(video) as local, alone_with(self._reader.vlm.hf):
            return self._compressed(local, question, None)

    def find(
        self,
        video: Video,
        query: str,
        count: int = MOST_SEGMENTS,
        *,
        evidence: EvidenceKind = "auto",
        max_side_px: int | None = None,
        warn: Warn | None = None,
    ) -> list[Moment]:
        """Returns what `VideoCompressor.find` does, as a conversation of its own.

        A video that the last conversation was about is opened for its pictures only, neither
        encoded nor read again. Arguments and errors are those of `VideoCompressor.find`.
        """
        count = whole("count", count, "stretch", error=BudgetError)
        check_question(query)
        check_evidence(evidence)
        asked = [[Message(role="user", text=query, videos=(video,))]]
        with self._fetched(video) as local:
            with alone_with(self._reader.vlm.hf):
                turns = self._turns(asked, query, {video: local} if isinstance(video, str) else {})
                answer = self._search.find(turns[0].videos, query, evidence, count)
            run = Run(listener=warn)
            for line in answer.warnings:
                run.warn(line)
            return self.compressor.pictured(
                local, answer.evidence, max_side_px=max_side_px, warn=run.warn
            )

    def _reply(
        self,
        runs: Sequence[Sequence[Message]],
        generation: Generation,
        evidence: EvidenceKind | None,
        on_text: OnText | None,
        cancelled: Event,
    ) -> Answer:
        question = _text(runs[-1])
        with ExitStack() as opened:
            fetched: dict[Video, Video] = {}
            for message in chain.from_iterable(runs):
                for video in message.videos:
                    key = self._key(video, message.fps, question)
                    if isinstance(video, str) and key not in self._held and video not in fetched:
                        fetched[video] = opened.enter_context(self._fetched(video))
            with alone_with(self._reader.vlm.hf, cancelled):
                turns = self._turns(runs, question, fetched)
                if not question.strip() or not any(turn.videos for turn in turns):
                    evidence = None
                limit, before = limitation(self._reader.vlm, turns), self._noted
                if limit and limit != before:
                    Run().warn(limit)
                self._noted = limit
                return self._reader.answer(turns, generation, evidence, on_text, cancelled)

    @contextmanager
    def _fetched(self, video: Video) -> Iterator[Video]:
        """Gives a video that is on this machine; a download must not keep others from the model."""
        if isinstance(video, str):
            with open_video(video, self.compressor.limits) as local:
                yield local
        else:
            yield video

    def _turns(
        self,
        runs: Sequence[Sequence[Message]],
        question: str,
        fetched: Mapping[Video, Video],
    ) -> list[Turn]:
        """Returns the conversation with its videos compressed, which are the ones held then."""
        held: dict[Hashable, CompressedVideo] = {}
        turns = []
        for run in runs:
            shown = []
            for message in run:
                for video in message.videos:
                    key = self._key(video, message.fps, question)
                    if key not in held:
                        local = fetched.get(video, video) if isinstance(video, str) else video
                        held[key] = self._held.get(key) or self._charged(
                            local, question, message.fps
                        )
                    shown.append(held[key])
            turns.append(Turn(role=run[0].role, text=_text(run), videos=tuple(shown)))
        self._held = held
        return turns

    def _charged(self, video: Video, question: str, fps: float | None) -> CompressedVideo:
        start = perf_counter()
        compressed = self._compressed(video, question, fps)
        self._reader.charge(encode_seconds=perf_counter() - start)
        return compressed

    def _compressed(self, video: Video, question: str | None, fps: float | None) -> CompressedVideo:
        if isinstance(video, CompressedVideo):
            return video
        compressor = self.compressor if fps is None else replace(self.compressor, fps=fps)
        with tower_memory_told(self._reader.vlm):
            return compressor.compress(video, question)

    def _key(self, video: Video, fps: float | None, question: str) -> Hashable:
        return _identity(video), fps, question if self.compressor.reads_question else None


def _checked(messages: Sequence[Message], evidence: str | None) -> list[list[Message]]:
    """Returns the runs of messages of one role."""
    check_evidence(evidence)
    if not messages:
        raise InvalidOptionError("there is no message to answer; give at least one")
    for message in messages:
        if message.text.strip():
            check_question(message.text)
    return [list(run) for _, run in groupby(messages, key=lambda message: message.role)]


def _text(messages: Sequence[Message]) -> str:
    return "\n".join(message.text for message in messages if message.text)


def _identity(video: Video) -> Hashable:
    """Returns what two equal videos share: address, part, file and its state, or pixels."""
    if isinstance(video, Image):
        return video.mode, video.size, hashlib.sha256(video.tobytes()).hexdigest()
    if isinstance(video, CompressedVideo):
        # Only the very same one; it is held as long as this is its key, so no other has the number.
        return "compressed", id(video)
    if isinstance(video, LocalVideo):
        address, part_seconds = video.uri, video.part_seconds
    else:
        address, part_seconds = split_part(video) if isinstance(video, str) else (str(video), None)
    name = hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()
    return isinstance(video, Path), name, part_seconds, _state(video, address)


def _state(video: str | Path | LocalVideo, address: str) -> Hashable:
    """Returns size and time of change of the file that a video is, None where it is none."""
    try:
        path = video.path if isinstance(video, LocalVideo) else file_path(address)
        found = None if path is None else path.stat()
    except (OSError, RuntimeError, ValueError):
        return None
    return found and (found.st_mtime_ns, found.st_size)
