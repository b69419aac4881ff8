"""A conversation about videos that the LLM reads once: they stay in its prefix cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from threading import Event
from types import TracebackType
from typing import Final, Self

from framesift.answering.checks import check_evidence
from framesift.answering.evidence import MOST_SEGMENTS
from framesift.answering.generation import GREEDY, Generation, OnText
from framesift.answering.limits import Positions
from framesift.answering.search import Search
from framesift.answering.session import Session
from framesift.answering.stream import AnswerStream
from framesift.answering.text_beside import Place, TextBeside
from framesift.errors import BudgetError, InvalidOptionError, ModelError
from framesift.run import Run
from framesift.types.answer import Answer, EvidenceKind, Segment
from framesift.types.compressed import CompressedVideo
from framesift.types.options import whole
from framesift.types.question import check_question
from framesift.types.video import Warn
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Turn


class Chat:
    """Answers questions about videos whose tokens are encoded, compressed and read only once.

    Each question reuses the columns of the cache that its prompt shares with what was read before:
    an independent one those of the videos, a follow-up those of the conversation too. So its answer
    is the one that a fresh prompt gives. One chat answers one question at a time; it is not for
    threads to share. `close`, or the end of a `with` block, frees the cache.
    """

    def __init__(
        self,
        vlm: VLM,
        videos: CompressedVideo | Sequence[CompressedVideo],
        *,
        positions: Positions = "auto",
        encode_seconds: float = 0.0,
        text: TextBeside | None = None,
    ) -> None:
        """Takes the videos, which are read by `read` or with the first question.

        Args:
            vlm: what answers; the videos' tokens must come from its own encoder.
            videos: one or several, in the order in which the prompt shows them.
            positions: as in `VLM.prompt`; `"auto"` leaves room for the answer besides.
            encode_seconds: what the tokens took, for the usage of the first answer.
            text: what was read off each of the videos, which stands beside them in prompts.
        """
        videos = (videos,) if isinstance(videos, CompressedVideo) else tuple(videos)
        if not videos:
            raise InvalidOptionError("there is no video to ask about; give at least one")
        self.vlm: Final = vlm
        self.videos: Final = videos
        self.last: Answer | None = None
        """The last answer, also one that was streamed or cancelled."""
        self._turns: tuple[Turn, ...] = ()
        self._text: Final = text or TextBeside(lines=())
        self._shown: frozenset[Place] = frozenset()
        self._session: Session | None = Session(vlm, positions=positions)
        self._session.charge(encode_seconds=encode_seconds)
        self._streaming: AnswerStream | None = None
        self._search: Search | None = None

    def read(self) -> Self:
        """Returns the chat after the LLM has read the videos, so that no question waits for it.

        Raises:
            BudgetError: the context has no room for the visual tokens and for a question and an
                answer of 64 tokens each; says how many to keep.
            ModelError: the chat is closed, or the GPU's memory does not hold the videos.
        """
        session = self._open_session()
        session.prefill(self.videos, text_tokens=self._text.room_tokens(self.vlm))
        return self

    def ask(
        self,
        question: str,
        *,
        follow_up: bool = False,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
        on_text: OnText | None = None,
    ) -> Answer:
        """Returns the answer to a question, with the stretches that it rests on.

        Args:
            question: about what the videos show.
            follow_up: whether the question goes on from the one before and its answer; by default
                it stands alone.
            generation: how the answer is chosen.
            evidence: how stretches are measured; None for no evidence.
            on_text: called with each piece of the answer as soon as it is certain, while the model
                is held: it may ask in another conversation, but wait for no thread that asks.

        Raises:
            InvalidOptionError: the question is empty, or there is no such kind of evidence.
            BudgetError: prompt and answer do not fit into the LLM's context; says what would.
            ModelError: the chat is closed, or the GPU's memory does not hold the prompt.
        """
        session = self._session_for(question, evidence)
        return self._answer(session, question, follow_up, generation, evidence, on_text, Event())

    def stream(
        self,
        question: str,
        *,
        follow_up: bool = False,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
    ) -> Iterator[str]:
        """Yields the answer piece by piece; `last` is the whole of it afterwards.

        Closing the iterator early cancels the answer: the chat goes on as if the question had not
        come. Arguments and errors are those of `ask`; the work begins with the first piece.
        """
        self._session_for(question, evidence)
        return self._pieces(question, follow_up, generation, evidence)

    def find(
        self,
        query: str,
        count: int = MOST_SEGMENTS,
        *,
        evidence: EvidenceKind = "auto",
        warn: Warn | None = None,
    ) -> list[Segment]:
        """Returns up to `count` stretches that a query points at, the strongest first.

        The list is empty if nothing resembles the query (see `answering.search`), which a warning
        says. The conversation stays as it was.

        Args:
            query: a question, or words for what is looked for.
            count: most stretches, at least 1.
            evidence: by which weights they are found.
            warn: called with each warning of the answer; logged by default.
        """
        count = whole("count", count, "stretch", error=BudgetError)
        session = self._session_for(query, evidence)
        self._search = self._search or Search(session)
        return self._search.find(Run(listener=warn), self.videos, query, evidence, count)

    def close(self) -> None:
        """Frees the cache and cancels what is being streamed; safe to call twice."""
        self._cancel()
        self._session = self._search = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def kv_cache_bytes(self) -> int:
        """Bytes of the keys and values that are held now."""
        return 0 if self._session is None else self._session.kv_cache_bytes

    def _open_session(self) -> Session:
        if self._session is None:
            raise ModelError("this chat is closed; open the video again")
        if self._streaming is not None:
            raise ModelError("an answer is still being streamed; read it to its end or close it")
        return self._session

    def _session_for(self, question: str, evidence: str | None) -> Session:
        """Returns the session, after the question and its kind of evidence were checked."""
        session = self._open_session()
        check_question(question)
        check_evidence(evidence)
        return session

    def _pieces(
        self, question: str, follow_up: bool, generation: Generation, evidence: EvidenceKind | None
    ) -> Iterator[str]:
        # The iterator may be begun long after it was made.
        session = self._open_session()
        answer = partial(self._answer, session, question, follow_up, generation, evidence)
        self._streaming = AnswerStream(answer)
        try:
            yield from self._streaming
        finally:
            self._cancel()

    def _cancel(self) -> None:
        if self._streaming is not None:
            self._streaming.close()
            self._streaming = None

    def _answer(
        self,
        session: Session,
        question: str,
        follow_up: bool,
        generation: Generation,
        evidence: EvidenceKind | None,
        on_text: OnText | None,
        cancelled: Event,
    ) -> Answer:
        turns = self._turns if follow_up else ()
        shown = self._shown if turns else frozenset()
        lines = self._text.for_question(self.vlm, question, shown)
        videos = () if turns else self.videos
        turns = (*turns, Turn(role="user", text=question, videos=videos, beside=lines.text))
        answer = session.answer(
            turns, generation=generation, evidence=evidence, on_text=on_text, cancelled=cancelled
        )
        self.last = answer = lines.noted(answer)
        if answer.usage.finish_reason != "cancelled":
            self._turns = (*turns, Turn(role="assistant", text=answer.text))
            self._shown = shown | lines.places
        return answer
