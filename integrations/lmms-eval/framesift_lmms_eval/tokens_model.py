"""`--model framesift_tokens`: a vision LLM that reads a fraction of the visual tokens."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Final, Literal

import torch
from accelerate import Accelerator
from lmms_eval.api.instance import GenerationResult
from lmms_eval.api.model import lmms
from tqdm import tqdm

from framesift import Chat, VideoCompressor, load_vlm
from framesift.errors import InvalidOptionError
from framesift_lmms_eval.arguments import refuse_unknown, unquoted
from framesift_lmms_eval.chat_request import ChatRequest
from framesift_lmms_eval.generation import generation_of
from framesift_lmms_eval.token_counts import VisualTokenCounts
from framesift_lmms_eval.turn import SampleTurn

ARGUMENTS: Final = (
    "pretrained, strategy, keep, max_tokens, fps, max_frames, selector, gate, still, "
    "resized_by, positions, dtype, quantize, trust_remote_code, question_field"
)
GENERATION_ONLY: Final = (
    "framesift_tokens answers generate_until tasks only; choose the generation form of the task"
)


class FramesiftTokens(lmms):
    """A vision LLM of framesift: its own tower and projector, then a strategy, then the LLM.

    Questions about one video in a row are answered from one reading of it, unless the strategy
    looks at the question; the answers are those of a fresh prompt. Question-aware strategies get
    the bare question, the LLM the harness's whole prompt.
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str,
        *,
        strategy: str = "temporal",
        keep: float = 0.25,
        max_tokens: int | None = None,
        fps: float = 1.0,
        max_frames: int | None = 32,
        selector: str = "uniform",
        gate: float | None = None,
        still: Literal["copied", "dropped"] = "copied",
        resized_by: Literal["model", "decoder"] = "model",
        positions: Literal["auto", "original", "compact"] = "auto",
        device: str | None = None,
        dtype: Literal["auto", "float32", "float16", "bfloat16"] | None = None,
        quantize: Literal["8bit", "4bit"] | None = None,
        trust_remote_code: bool = False,
        question_field: str = "question",
        batch_size: int | str = 1,
        **unknown: Any,
    ) -> None:
        """Loads the model.

        Args:
            pretrained: hub id, folder or name of a model, as in `framesift.load_vlm`.
            strategy: spec of what decides which visual tokens stay.
            keep: fraction of the visual tokens that stays, in (0, 1].
            max_tokens: most visual tokens of a video; the smaller of this and `keep` wins.
            fps: frames sampled per second of video.
            max_frames: most frames that are encoded, chosen by `selector`; None for all.
            selector: spec of what chooses them.
            gate: change in levels of 256 above which a patch is encoded again.
            still: what a patch becomes that is not: "copied", its last token, or "dropped".
            resized_by: what scales large frames down: "model", its own preparation, or "decoder".
            positions: as in `VLM.prompt`.
            device: where it runs; None for this process's GPU where there is one, else the CPU.
            dtype: what it computes in.
            quantize: weights of the LLM in fewer bits.
            trust_remote_code: whether Python code of the checkpoint may run.
            question_field: field of a sample that holds the question.
            batch_size: 1.
            unknown: nothing that is used.

        Raises:
            InvalidOptionError: an argument is unknown or out of range.
            ModelError: the checkpoint cannot be loaded.
        """
        super().__init__()
        refuse_unknown("framesift_tokens", unknown, ARGUMENTS)
        _check_batch(batch_size)
        self.accelerator = Accelerator()
        self._rank = self.accelerator.process_index
        self._world_size = self.accelerator.num_processes
        if device is None and self._world_size > 1:
            device = str(self.accelerator.device)
        self.vlm = load_vlm(
            unquoted(pretrained),
            device=device,
            dtype=dtype,
            quantize=quantize,
            trust_remote_code=trust_remote_code,
        )
        self.compressor = VideoCompressor(
            vlm=self.vlm,
            strategy=unquoted(strategy),
            keep=keep,
            max_tokens=max_tokens,
            fps=fps,
            max_frames=max_frames,
            selector=unquoted(selector),
            gate=gate,
            still=still,
            resized_by=resized_by,
        )
        self._positions, self._question_field = positions, question_field
        self._held: tuple[Hashable, Chat] | None = None

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        where: torch.device = self.vlm.hf.device
        return where

    def generate_until(self, requests: Sequence[Any]) -> list[GenerationResult]:
        """Returns the model's answers, with the tokens of each prompt before and after.

        Raises:
            InvalidOptionError: a request is not one user message about videos or pictures.
            BudgetError: prompt and answer exceed the context; says how many tokens to keep.
            SourceError: a video cannot be brought.
            DecodeError: a file cannot be decoded.
        """
        shown = tqdm(requests, desc="framesift_tokens", disable=self.rank != 0)
        return [self._answered(ChatRequest.of(request, self.task_dict)) for request in shown]

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Refuses, since likelihoods are not what framesift's models give."""
        raise NotImplementedError(GENERATION_ONLY)

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Refuses; a sample is one question."""
        raise NotImplementedError(GENERATION_ONLY)

    def clean(self) -> None:
        """Frees the model and its cache."""
        self._close()
        del self.vlm, self.compressor
        super().clean()

    def _answered(self, request: ChatRequest) -> GenerationResult:
        turn = SampleTurn.of(request.messages)
        chat = self._chat(turn, request.question(self._question_field))
        answer = chat.ask(turn.text, generation=generation_of(request.options), evidence=None)
        counts = VisualTokenCounts(
            input_tokens=answer.usage.prompt_tokens,
            output_tokens=answer.usage.answer_tokens,
            frames=sum(len(video.frame_seconds) for video in chat.videos),
            visual_tokens=answer.usage.visual_tokens_after,
            visual_tokens_before=answer.usage.visual_tokens_before,
        )
        return GenerationResult(text=answer.text, token_counts=counts)

    def _chat(self, turn: SampleTurn, question: str | None) -> Chat:
        """Returns the chat about the visuals; the last one where it is about the same."""
        asked = question if self.compressor.reads_question else None
        key = None if turn.key is None else (turn.key, asked)
        if self._held is not None and key is not None and self._held[0] == key:
            return self._held[1]
        self._close()
        start = perf_counter()
        with ExitStack() as stack:
            videos = [self.compressor.compress(v, question) for v in turn.opened(stack)]
        seconds = perf_counter() - start
        chat = Chat(self.vlm, videos, positions=self._positions, encode_seconds=seconds)
        self._held = key, chat
        return chat

    def _close(self) -> None:
        if self._held is not None:
            self._held[1].close()
            self._held = None


def _check_batch(batch_size: int | str) -> None:
    if str(batch_size) != "1":
        raise InvalidOptionError(
            f"batch_size={batch_size!r} must be 1, since each answer reuses what was read before; "
            "pass --batch_size 1"
        )
