"""Which frames of a video an answer's attention points at, whoever has given the answer."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from framesift.answering.prompt_batch import PromptBatch
from framesift.hf.answer_attention import answer_attention
from framesift.hf.letters import text_ids
from framesift.types.compressed import CompressedVideo
from framesift.types.question import check_question
from framesift.vlms.base import VLM

LEAST_SHARE: Final = 0.5
"""Of the heaviest frame's attention, what a frame needs. On synthetic questions that one frame
answers, 92 % of such frames lie where the answer is seen, and hold 84 % of it; at a third these
are 78 % and 93 %, at two thirds 96 % and 70 %."""


class AttendedFrames:
    """A whole video that a vision LLM reads once, and then explains given answers by."""

    def __init__(self, vlm: VLM, video: CompressedVideo) -> None:
        """Takes a video whose tokens are all kept, from the model's own encoder."""
        layers = None if video.layers is None else video.layers[None]
        self._batch: Final = PromptBatch(vlm, video, video.tokens[None], layers)
        self._vlm: Final = vlm
        self._video: Final = video

    @torch.no_grad()
    def weights(self, question: str, answer: str) -> Tensor:
        """Returns the share of attention that an answer gives to each visual token, `(M,)`.

        Raises:
            BudgetError: the video does not fit into the LLM's context.
            ModelError: no layer of the LLM shows its attention.
        """
        check_question(question)
        prompt = self._batch.prompt(question)
        device = prompt.input_ids.device
        ids = torch.tensor(text_ids(self._vlm.tokenizer, answer)[:-1], device=device).long()
        inputs = self._batch.inputs(prompt, ids)
        received = answer_attention(self._vlm.hf, inputs, len(prompt.input_ids))
        return prompt.by_row(received[prompt.visual.cpu()])

    def frames(self, question: str, answer: str) -> Tensor:
        """Returns which frames the answer rests on, bool `(T,)`, at least one.

        They are those that get at least half the attention of the frame that gets the most.
        """
        steps = self._video.plan.num_in // self._video.plan.tokens_per_frame
        weights = self.weights(question, answer).view(steps, -1).sum(1)
        return weights >= weights.max() * LEAST_SHARE
