"""A conversation about videos that the LLM has read once: what it read stays in its cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from queue import SimpleQueue
from threading import Event, Thread
from time import perf_counter
from types import TracebackType
from typing import Final, Self, get_args

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError, ModelError
from framesift.evidence import EvidenceKind, find_segments, question_weights, word_embeddings
from framesift.generation import Completion, Generation, OnText, complete
from framesift.types.answer import Answer, Segment, Usage
from framesift.types.compressed import CompressedVideo
from framesift.vlms._prefix_cache import PrefixCache
from framesift.vlms._room import Positions, memory_told, roomy_prompt
from framesift.vlms.base import VLM, Prompt, Turn

GREEDY: Final = Generation()
QUESTION_TOKENS: Final = 64
"""Room that is left for a question where videos are read before one is asked."""


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
        videos: Sequence[CompressedVideo],
        *,
        positions: Positions = "auto",
        encode_seconds: float = 0.0,
    ) -> None:
        """Takes the videos, which are read by `read` or with the first question.

        Args:
            vlm: what answers; the videos' tokens must come from its own encoder.
            videos: at least one, in the order in which the prompt shows them.
            positions: as in `VLM.prompt`; `"auto"` leaves room for the answer besides.
            encode_seconds: what the tokens took, for the usage of the first answer.
        """
        if not videos:
            raise InvalidOptionError("there is no video to ask about; give at least one")
        self.vlm: Final = vlm
        self.videos: Final = tuple(videos)
        self.last: Answer | None = None
        """The last answer, also one that was streamed or cancelled."""
        self._positions: Final = positions
        self._turns: tuple[Turn, ...] = ()
        self._cache: PrefixCache | None = PrefixCache()
        self._streaming: tuple[Event, Thread] | None = None
        self._unpaid = encode_seconds, 0.0
        """Seconds that no answer has accounted for yet: encoding, and reading the videos."""

    def read(self) -> Self:
        """Returns the chat after the LLM has read the videos, so that no question waits for it.

        Raises:
            BudgetError: the context has no room for the visual tokens and for a question and an
                answer of 64 tokens each; says how many to keep.
            ModelError: the chat is closed, or the GPU's memory does not hold the videos.
        """
        cache, start = self._open_cache(), perf_counter()
        shown = [Turn(role="user", text="", videos=self.videos)]
        spare = GREEDY.max_new_tokens + QUESTION_TOKENS
        prompt = roomy_prompt(self.vlm, shown, spare, self._positions)
        with memory_told(self.vlm, prompt):
            cache.read_videos(self.vlm.hf, prompt)
        self._unpaid = self._unpaid[0], self._unpaid[1] + perf_counter() - start
        return self

    def ask(
        self,
        question: str,
        *,
        follow_up: bool = False,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "similarity",
        on_text: OnText | None = None,
    ) -> Answer:
        """Returns the answer to a question, with the stretches that it rests on.

        Args:
            question: about what the videos show.
            follow_up: whether the question goes on from the one before and its answer; by default
                it stands alone.
            generation: how the answer is chosen.
            evidence: by which weights stretches are found; None for none.
            on_text: told each piece of the answer as soon as it is certain.

        Raises:
            InvalidOptionError: the question is empty, or there is no such kind of evidence.
            BudgetError: prompt and answer do not fit into the LLM's context; says what would.
            ModelError: the chat is closed, or the GPU's memory does not hold the prompt.
        """
        self._check(question, evidence)
        return self._answer(question, follow_up, generation, evidence, on_text, Event())

    def stream(
        self,
        question: str,
        *,
        follow_up: bool = False,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "similarity",
    ) -> Iterator[str]:
        """Yields the answer piece by piece; `last` is the whole of it afterwards.

        Closing the iterator early cancels the answer: the chat takes the question as not asked.
        Arguments and errors are those of `ask`; the work begins with the first piece.
        """
        self._check(question, evidence)
        return self._pieces(question, follow_up, generation, evidence)

    def close(self) -> None:
        """Frees the cache and cancels what is being streamed; safe to call twice."""
        self._cancel()
        self._cache = None

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
        return 0 if self._cache is None else self._cache.nbytes

    @cached_property
    def _common_word(self) -> Tensor:
        table: Tensor = self.vlm.hf.get_input_embeddings().weight
        return table.detach().mean(0, dtype=torch.float32)

    def _open_cache(self) -> PrefixCache:
        if self._cache is None:
            raise ModelError("this chat is closed; open the video again")
        if self._streaming is not None:
            raise ModelError("an answer is still being streamed; read it to its end or close it")
        return self._cache

    def _check(self, question: str, evidence: str | None) -> None:
        self._open_cache()
        check_question(question)
        if evidence not in (*get_args(EvidenceKind), None):
            kinds = " or ".join(map(repr, get_args(EvidenceKind)))
            raise InvalidOptionError(f"evidence={evidence!r} must be {kinds}, or None for none")

    def _pieces(
        self, question: str, follow_up: bool, generation: Generation, evidence: EvidenceKind | None
    ) -> Iterator[str]:
        self._check(question, evidence)
        pieces, cancelled = SimpleQueue[str | None](), Event()
        errors: list[BaseException] = []

        def work() -> None:
            try:
                self._answer(question, follow_up, generation, evidence, pieces.put, cancelled)
            except BaseException as error:
                errors.append(error)
            finally:
                pieces.put(None)

        worker = Thread(target=work, name="framesift-answer", daemon=True)
        self._streaming = cancelled, worker
        worker.start()
        try:
            while (piece := pieces.get()) is not None:
                yield piece
        finally:
            self._cancel()
        if errors:
            raise errors[0]

    def _cancel(self) -> None:
        if self._streaming is not None:
            cancelled, worker = self._streaming
            cancelled.set()
            worker.join()
            self._streaming = None

    @torch.no_grad()
    def _answer(
        self,
        question: str,
        follow_up: bool,
        generation: Generation,
        evidence: EvidenceKind | None,
        on_text: OnText | None,
        cancelled: Event,
    ) -> Answer:
        assert self._cache is not None
        start, vlm, cache = perf_counter(), self.vlm, self._cache
        turns = self._turns if follow_up else ()
        turns = (*turns, Turn(role="user", text=question, videos=() if turns else self.videos))
        prompt = roomy_prompt(vlm, turns, generation.max_new_tokens, self._positions)
        with memory_told(vlm, prompt):
            inputs, held = cache.prepare(vlm.hf, prompt)
            prepared = perf_counter() - start
            said = complete(
                vlm.hf, vlm.tokenizer, inputs, generation, on_text=on_text, cancelled=cancelled
            )
            cache.note(prompt, said.ids)
            usage = self._usage(prompt, said, held, prepared)
            if said.finish_reason == "cancelled":
                evidence = None
            segments = self._evidence(question, prompt, said, evidence)
        answer = Answer(
            text=said.text, evidence=segments, usage=usage, warnings=list(prompt.warnings)
        )
        if said.finish_reason != "cancelled":
            self._turns = (*turns, Turn(role="assistant", text=said.text))
        self.last = answer
        return answer

    def _usage(self, prompt: Prompt, said: Completion, held: int, prepared: float) -> Usage:
        (encode_seconds, read_seconds), self._unpaid = self._unpaid, (0.0, 0.0)
        return Usage(
            visual_tokens_before=prompt.visual_tokens_before,
            visual_tokens_after=len(prompt.features),
            prompt_tokens=len(prompt.input_ids),
            cached_tokens=held,
            answer_tokens=len(said.ids),
            encode_seconds=encode_seconds,
            prefill_seconds=read_seconds + prepared + said.prefill_seconds,
            decode_seconds=said.decode_seconds,
            kv_cache_bytes=self.kv_cache_bytes,
            finish_reason=said.finish_reason,
            positions=prompt.positions,
        )

    def _evidence(
        self, question: str, prompt: Prompt, said: Completion, kind: EvidenceKind | None
    ) -> list[Segment]:
        assert self._cache is not None
        own = prompt.rows >= 0
        if kind == "similarity":
            words = word_embeddings(self.vlm.hf, self.vlm.tokenizer, question)
            features = prompt.features[own.to(prompt.features.device)]
            weights = question_weights(features, words, self._common_word)
        elif kind == "attention":
            received = self._cache.answer_attention(self.vlm.hf, prompt, len(said.ids))
            weights = received[prompt.visual.cpu()][own]
        else:
            return []
        return find_segments(self.videos, weights, kind)


def check_question(question: str) -> None:
    """Refuses what nobody can answer.

    Raises:
        InvalidOptionError: the question is empty, or no text.
    """
    if not question.strip():
        raise InvalidOptionError(f"question={question!r} is empty; ask something")
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise InvalidOptionError(
            f"question={question!r} holds {question[error.start]!r}, which is no character; pass "
            "text in UTF-8"
        ) from error
