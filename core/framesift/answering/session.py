"""A vision LLM with its lock, its prefix cache and costs; chats and adapters hold one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from threading import Event
from time import perf_counter
from typing import Final, get_args

import torch
from torch import Tensor

from framesift.answering.evidence import WeightKind, find_segments
from framesift.answering.generation import GREEDY, Completion, Generation, OnText, complete
from framesift.answering.limits import Positions, fitting_prompt, prompt_memory_errors
from framesift.answering.prefix_cache import PrefixCache
from framesift.answering.warnings import answer_warnings
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.checkpoint_reading import in_one_line
from framesift.hf.compiling import not_compiled, obstacle
from framesift.hf.model_use import Once, alone_with
from framesift.hf.question import common_word, question_similarity, word_embeddings
from framesift.types.answer import Answer, EvidenceKind, Usage
from framesift.types.compressed import CompressedVideo
from framesift.types.options import shown
from framesift.vlms.base import VLM
from framesift.vlms.load import load_vlm
from framesift.vlms.prompt import Prompt, Turn

QUESTION_TOKENS: Final = 64
"""Room that is left for a question where videos are prefilled before one is asked."""


class Session:
    """A vision LLM with one prefix cache: prompts go in, answers with evidence and costs come out.

    The model loads on first use, once, however many threads come at the same time. Each prompt
    reuses the columns of the KV cache that it shares with the one before, so that its answer is the
    one that a fresh prompt gives. A model has one user at a time: sessions of several threads that
    share it answer one after the other, each over a cache of its own.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | VLM | Callable[[], VLM],
        *,
        positions: Positions = "auto",
    ) -> None:
        """Takes the model, which is not loaded before it is needed.

        Args:
            model: a name, hub id or folder, as `load_vlm` takes it, a loaded model, or a function
                that loads one.
            positions: as in `VLM.prompt`; `"auto"` leaves room for the answer besides.
        """
        if positions not in list(get_args(Positions)):
            kinds = ", ".join(map(repr, get_args(Positions)))
            raise InvalidOptionError(f"positions={shown(positions)} must be one of {kinds}")
        if isinstance(model, VLM):
            self._model = Once.made(model)
        else:
            self._model = Once(model if callable(model) else partial(load_vlm, model))
        self._positions: Final = positions
        self._cache: Final = PrefixCache()
        self._unpaid_seconds = 0.0, 0.0
        """Encoding and prefilling that no answer has accounted for yet."""
        self._answering = False

    @property
    def vlm(self) -> VLM:
        """The model; the first access loads it.

        Raises:
            UnknownNameError: its name is neither registered nor a hub id nor a folder.
            ModelError: the checkpoint is out of reach, unsupported or incomplete.
        """
        return self._model()

    @property
    def kv_cache_bytes(self) -> int:
        """Bytes of the keys and values that are held now."""
        return self._cache.nbytes

    def alone(self, cancelled: Event | None = None) -> AbstractContextManager[None]:
        """Keeps other threads from the model within the block; a thread may nest it.

        Args:
            cancelled: ends the wait for the model, once it is set.

        Raises:
            ModelError: `cancelled` was set before the model was free.
        """
        return alone_with(self.vlm.hf, cancelled)

    def charge(self, *, encode_seconds: float = 0.0, prefill_seconds: float = 0.0) -> None:
        """Adds to the seconds that the usage of the next answer states."""
        encoded, prefilled = self._unpaid_seconds
        self._unpaid_seconds = encoded + encode_seconds, prefilled + prefill_seconds

    def prefill(self, videos: Sequence[CompressedVideo], *, text_tokens: int = 0) -> None:
        """Reads videos into the cache before anything is asked.

        Args:
            videos: what is read.
            text_tokens: room for lines that will stand beside them.

        Raises:
            BudgetError: the context has no room for the visual tokens and for a question and an
                answer of 64 tokens each; says how many to keep.
            ModelError: the GPU's memory does not hold the videos.
        """
        start = perf_counter()
        turns = [Turn(role="user", text="", videos=tuple(videos))]
        room = GREEDY.max_new_tokens + QUESTION_TOKENS
        with self._answering_alone(None):
            prompt = fitting_prompt(self.vlm, turns, room, self._positions, text_tokens=text_tokens)
            with prompt_memory_errors(self.vlm, prompt):
                self._cache.prefill_videos(self.vlm.hf, prompt)
        self.charge(prefill_seconds=perf_counter() - start)

    @torch.no_grad()
    def answer(
        self,
        turns: Sequence[Turn],
        *,
        generation: Generation = GREEDY,
        evidence: EvidenceKind | None = "auto",
        on_text: OnText | None = None,
        cancelled: Event | None = None,
    ) -> Answer:
        """Returns the model's answer to a conversation, with the stretches that it rests on.

        What is not in a video is seen nowhere: an answer that denies it rests on no stretch.

        Args:
            turns: the conversation, the user's question last.
            generation: how the answer is chosen.
            evidence: how stretches are measured; None for no evidence.
            on_text: called with each piece of the answer as soon as it is certain.
            cancelled: ends the answer after the token in work, once it is set.

        Raises:
            BudgetError: prompt and answer do not fit into the LLM's context; says what would.
            ModelError: the GPU's memory does not hold the prompt, or it was cancelled while another
                answer used the model.
        """
        if not isinstance(generation, Generation):
            raise InvalidOptionError(
                f"generation={shown(generation)} must be a Generation, such as Generation(seed=0)"
            )
        cancelled = cancelled or Event()
        with self._answering_alone(cancelled):
            answer, weights = self._answer(turns, generation, evidence, on_text, cancelled)
        videos = [video for turn in turns for video in turn.videos]
        if videos and self.vlm.denies(answer.text):
            return answer.model_copy(update={"not_shown": self.vlm.leaves_open(answer.text)})
        if weights is None:
            return answer
        return answer.model_copy(update={"evidence": find_segments(videos, *weights)})

    @torch.no_grad()
    def token_weights(
        self, turns: Sequence[Turn], generation: Generation, kind: EvidenceKind, *, words: str
    ) -> tuple[Answer, Tensor, WeightKind]:
        """Returns an answer without evidence, the weight of each kept token, and the weights' kind.

        Arguments and errors are those of `answer`; similarity is that to `words`, which the user
        gave, whatever the turns make of them.
        """
        cancelled = Event()
        with self._answering_alone(cancelled):
            answer, weights = self._answer(turns, generation, kind, None, cancelled, words=words)
        assert weights is not None
        return answer, *weights

    @contextmanager
    def _answering_alone(self, cancelled: Event | None) -> Iterator[None]:
        """Keeps others from model and cache, and takes what the model raises as the checkpoint's.

        Raises:
            ModelError: it comes from within an answer of this session, as `on_text` may.
        """
        with self.alone(cancelled):
            if self._answering:
                raise ModelError(
                    "an answer of this conversation is still being made; wait for it, or ask "
                    "in another conversation"
                )
            self._answering = True
            try:
                with in_one_line(self.vlm.model, doing="run"):
                    yield
            finally:
                self._answering = False

    def _answer(
        self,
        turns: Sequence[Turn],
        generation: Generation,
        evidence: EvidenceKind | None,
        on_text: OnText | None,
        cancelled: Event,
        *,
        words: str | None = None,
    ) -> tuple[Answer, tuple[Tensor, WeightKind] | None]:
        """Returns an answer without evidence, and the weights that evidence is made of."""
        start, vlm, cache = perf_counter(), self.vlm, self._cache
        prompt = fitting_prompt(vlm, turns, generation.max_new_tokens, self._positions)
        hindered = obstacle(vlm.hf) if generation.compiled else None
        columns = len(prompt.input_ids) + generation.max_new_tokens
        room = columns if generation.compiled and hindered is None else None
        with prompt_memory_errors(vlm, prompt):
            inputs, cached_tokens = cache.prepare(vlm.hf, prompt, room=room)
            self.charge(prefill_seconds=perf_counter() - start)
            completion = complete(
                vlm.hf, vlm.tokenizer, inputs, generation, on_text=on_text, cancelled=cancelled
            )
            cache.note(prompt, completion.ids)
            usage = self._usage(prompt, completion, cached_tokens)
            if completion.finish_reason == "cancelled":
                evidence = None
            words = turns[-1].text if words is None else words
            weights = evidence and self._weights(words, prompt, completion, evidence)
        uncompiled = (not_compiled(hindered),) if hindered else completion.warnings
        warnings = [*answer_warnings(vlm, turns, words, prompt), *uncompiled]
        return Answer(text=completion.text, usage=usage, warnings=warnings), weights

    def _usage(self, prompt: Prompt, completion: Completion, cached_tokens: int) -> Usage:
        encode_seconds, prefill_seconds = self._unpaid_seconds
        self._unpaid_seconds = 0.0, 0.0
        return Usage(
            visual_tokens_before=prompt.visual_tokens_before,
            visual_tokens_after=len(prompt.features),
            prompt_tokens=len(prompt.input_ids),
            cached_tokens=cached_tokens,
            answer_tokens=len(completion.ids),
            encode_seconds=encode_seconds,
            prefill_seconds=prefill_seconds + completion.prefill_seconds,
            decode_seconds=completion.decode_seconds,
            kv_cache_bytes=self.kv_cache_bytes,
            finish_reason=completion.finish_reason,
            positions=prompt.positions,
        )

    def _weights(
        self, question: str, prompt: Prompt, completion: Completion, kind: EvidenceKind
    ) -> tuple[Tensor, WeightKind]:
        """Returns the weight of each kept token `(M,)`, below 0 where unlike, and their kind."""
        if kind != "similarity":
            try:
                attention = self._cache.answer_attention(self.vlm.hf, prompt, len(completion.ids))
                return prompt.by_row(attention[prompt.visual.cpu()]), "attention"
            except ModelError:
                # The answer is there already; only its attention cannot be read.
                if kind == "attention":
                    raise
        words = word_embeddings(self.vlm.hf, self.vlm.tokenizer, question)
        features = prompt.by_row(prompt.features)
        return question_similarity(features, words, self._common_word), "similarity"

    @cached_property
    def _common_word(self) -> Tensor:
        return common_word(self.vlm.hf)
