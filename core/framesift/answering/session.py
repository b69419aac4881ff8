"""One vision LLM with one cache: prompts go in, answers with their evidence and costs come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Event
from time import perf_counter
from typing import Final, get_args

import torch
from torch import Tensor

from framesift.answering.evidence import MOST_SEGMENTS, Weighed, find_segments
from framesift.answering.generation import Completion, Generation, OnText, complete
from framesift.answering.limits import Positions, memory_told, roomy_prompt
from framesift.answering.prefix_cache import PrefixCache
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.checkpoint_reading import in_one_line
from framesift.hf.model_use import alone_with
from framesift.hf.question import common_word, question_similarity, word_embeddings
from framesift.run import joined
from framesift.types.answer import Answer, EvidenceKind, Usage
from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.options import shown
from framesift.vlms.base import VLM, Prompt, Turn

GREEDY: Final = Generation()
MAX_QUESTION: Final = 100_000
"""Longest question in characters; more than the context of most models holds."""
QUESTION_TOKENS: Final = 64
"""Room that is left for a question where videos are read before one is asked."""


class Reader:
    """Answers prompts of one vision LLM over one cache.

    Each prompt reuses the columns that it shares with what was read before, so its answer is the
    one that a fresh prompt gives. One prompt at a time: threads that share a model, each with a
    reader of its own, answer one after the other.
    """

    def __init__(self, vlm: VLM, *, positions: Positions = "auto") -> None:
        if positions not in list(get_args(Positions)):
            kinds = ", ".join(map(repr, get_args(Positions)))
            raise InvalidOptionError(f"positions={shown(positions)} must be one of {kinds}")
        self.vlm: Final = vlm
        self.unpaid_seconds = 0.0, 0.0
        """Encoding and reading that no answer has accounted for yet."""
        self._positions: Final = positions
        self._cache: Final = PrefixCache()
        self._busy = False

    @property
    def kv_cache_bytes(self) -> int:
        """Bytes of the keys and values that are held now."""
        return self._cache.nbytes

    def charge(self, *, encode_seconds: float = 0.0, read_seconds: float = 0.0) -> None:
        """Adds to what the next answer accounts for."""
        encoded, read = self.unpaid_seconds
        self.unpaid_seconds = encoded + encode_seconds, read + read_seconds

    def read(self, videos: Sequence[CompressedVideo]) -> None:
        """Reads videos into the cache before anything is asked.

        Raises:
            BudgetError: the context has no room for the visual tokens and for a question and an
                answer of 64 tokens each; says how many to keep.
            ModelError: the GPU's memory does not hold the videos.
        """
        start = perf_counter()
        shown = [Turn(role="user", text="", videos=tuple(videos))]
        spare = GREEDY.max_new_tokens + QUESTION_TOKENS
        with self._alone(None):
            prompt = roomy_prompt(self.vlm, shown, spare, self._positions)
            with memory_told(self.vlm, prompt):
                self._cache.read_videos(self.vlm.hf, prompt)
        self.charge(read_seconds=perf_counter() - start)

    @torch.no_grad()
    def answer(
        self,
        turns: Sequence[Turn],
        generation: Generation,
        evidence: EvidenceKind | None,
        on_text: OnText | None,
        cancelled: Event,
        *,
        most: int = MOST_SEGMENTS,
    ) -> Answer:
        """Returns what the model says after `turns`, with the stretches that it rests on.

        Args:
            turns: what was said so far, the question last.
            generation: how the answer is chosen.
            evidence: by which weights stretches are found; None for none.
            on_text: told each piece of the answer as soon as it is certain.
            cancelled: ends the answer after the token in work, once it is set.
            most: how many stretches are named at most.

        Raises:
            BudgetError: prompt and answer do not fit into the LLM's context; says what would.
            ModelError: the GPU's memory does not hold the prompt, or it was cancelled while another
                answer used the model.
        """
        if not isinstance(generation, Generation):
            raise InvalidOptionError(
                f"generation={shown(generation)} must be a Generation, such as Generation(seed=0)"
            )
        with self._alone(cancelled):
            answer, found = self._answer(turns, generation, evidence, on_text, cancelled)
        if found is None:
            return answer
        videos = [video for turn in turns for video in turn.videos]
        return answer.model_copy(update={"evidence": find_segments(videos, *found, count=most)})

    @torch.no_grad()
    def weighed(
        self, turns: Sequence[Turn], generation: Generation, kind: EvidenceKind, *, words: str
    ) -> tuple[Answer, Tensor, Weighed]:
        """Returns an answer without evidence, the weight of each kept token, and what it is.

        Arguments and errors are those of `answer`; similarity is that to `words`, which the user
        gave, whatever of them is asked.
        """
        cancelled = Event()
        with self._alone(cancelled):
            answer, found = self._answer(turns, generation, kind, None, cancelled, words=words)
        assert found is not None
        return answer, *found

    @contextmanager
    def _alone(self, cancelled: Event | None) -> Iterator[None]:
        """Keeps others from model and cache, and takes what the model raises as the checkpoint's.

        Raises:
            ModelError: it comes from within an answer of this reader, as `on_text` may.
        """
        with alone_with(self.vlm.hf, cancelled):
            if self._busy:
                raise ModelError(
                    "an answer of this conversation is still being made; ask when it is there, or "
                    "in another conversation"
                )
            self._busy = True
            try:
                with in_one_line(self.vlm.model, doing="run"):
                    yield
            finally:
                self._busy = False

    def _answer(
        self,
        turns: Sequence[Turn],
        generation: Generation,
        evidence: EvidenceKind | None,
        on_text: OnText | None,
        cancelled: Event,
        *,
        words: str | None = None,
    ) -> tuple[Answer, tuple[Tensor, Weighed] | None]:
        """Returns an answer without evidence, and the weights that evidence is made of."""
        start, vlm, cache = perf_counter(), self.vlm, self._cache
        prompt = roomy_prompt(vlm, turns, generation.max_new_tokens, self._positions)
        with memory_told(vlm, prompt):
            inputs, held = cache.prepare(vlm.hf, prompt)
            self.charge(read_seconds=perf_counter() - start)
            said = complete(
                vlm.hf, vlm.tokenizer, inputs, generation, on_text=on_text, cancelled=cancelled
            )
            cache.note(prompt, said.ids)
            usage = self._usage(prompt, said, held)
            if said.finish_reason == "cancelled":
                evidence = None
            words = turns[-1].text if words is None else words
            found = evidence and self._weights(words, prompt, said, evidence)
        warnings = _warnings(vlm, turns, words, prompt)
        return Answer(text=said.text, usage=usage, warnings=warnings), found

    @cached_property
    def _common_word(self) -> Tensor:
        return common_word(self.vlm.hf)

    def _usage(self, prompt: Prompt, said: Completion, held: int) -> Usage:
        (encode_seconds, read_seconds), self.unpaid_seconds = self.unpaid_seconds, (0.0, 0.0)
        return Usage(
            visual_tokens_before=prompt.visual_tokens_before,
            visual_tokens_after=len(prompt.features),
            prompt_tokens=len(prompt.input_ids),
            cached_tokens=held,
            answer_tokens=len(said.ids),
            encode_seconds=encode_seconds,
            prefill_seconds=read_seconds + said.prefill_seconds,
            decode_seconds=said.decode_seconds,
            kv_cache_bytes=self.kv_cache_bytes,
            finish_reason=said.finish_reason,
            positions=prompt.positions,
        )

    def _weights(
        self, question: str, prompt: Prompt, said: Completion, kind: EvidenceKind
    ) -> tuple[Tensor, Weighed]:
        """Returns the weight of each kept token `(M,)`, below 0 where unlike, and what it is."""
        own = prompt.rows >= 0
        if kind != "similarity":
            try:
                received = self._cache.answer_attention(self.vlm.hf, prompt, len(said.ids))
                return received[prompt.visual.cpu()][own], "attention"
            except ModelError:
                # The answer is there already; only where it looked cannot be read.
                if kind == "attention":
                    raise
        words = word_embeddings(self.vlm.hf, self.vlm.tokenizer, question)
        features = prompt.features[own.to(prompt.features.device)]
        return question_similarity(features, words, self._common_word), "similarity"


def limitation(vlm: VLM, turns: Sequence[Turn]) -> str | None:
    """Returns why an answer to these turns means nothing; None where it may mean something."""
    return vlm.limitation([video.report.uri for turn in turns for video in turn.videos])


def _warnings(vlm: VLM, turns: Sequence[Turn], question: str, prompt: Prompt) -> list[str]:
    """Returns what the model cannot do, and what went wrong with the videos and their prompt."""
    limit = limitation(vlm, turns)
    videos = [video.report for turn in turns for video in turn.videos]
    told = joined([(report.uri, _notes(report, question)) for report in videos])
    return list(dict.fromkeys([*([limit] if limit else []), *told, *prompt.warnings]))


def _notes(report: CompressionReport, question: str) -> list[str]:
    """Returns what is to be known of a video's tokens by who asks a question about them."""
    if report.question in (None, question):
        return report.warnings
    return [
        *report.warnings,
        f"the tokens were chosen for another question, {report.question[:200]!r}; compress the "
        "video for this one, or by a strategy that reads no question",
    ]


def check_question(question: str) -> None:
    """Refuses what nobody can answer.

    Raises:
        InvalidOptionError: the question is empty, no text, or longer than any that is answered.
    """
    if not isinstance(question, str):
        raise InvalidOptionError(f"question={shown(question)} must be text; ask something")
    if len(question) > MAX_QUESTION:
        raise InvalidOptionError(
            f"the question {question[:60]!r}... has {len(question)} characters; it may have at "
            f"most {MAX_QUESTION}; ask less at once"
        )
    if not question.strip():
        raise InvalidOptionError(f"question={question!r} is empty; ask something")
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise InvalidOptionError(
            f"question={question!r} holds {question[error.start]!r}, which is no character; pass "
            "text in UTF-8"
        ) from error


def check_evidence(evidence: str | None) -> None:
    """Refuses a kind of evidence that does not exist.

    Raises:
        InvalidOptionError: it is neither a kind of evidence nor None.
    """
    if evidence is not None and evidence not in list(get_args(EvidenceKind)):
        kinds = ", ".join(map(repr, get_args(EvidenceKind)))
        raise InvalidOptionError(
            f"evidence={shown(evidence)} must be one of {kinds}, or None for none"
        )
