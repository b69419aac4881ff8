"""A frozen vision LLM that answers from a few frames of a video, whoever has chosen them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from framesift.answering.batch import complete_batch
from framesift.answering.generation import Generation
from framesift.answering.limits import fitting_prompt
from framesift.answering.prefix_cache import read_once
from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.selection.question_sets import FPS
from framesift.types.video import LocalVideo
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Prompt, Turn, collate

Asked = tuple[str, tuple[int, ...]]
"""A question, and the frames that it is asked about."""
SHORT: Final = Generation(max_new_tokens=24)
ROWS: Final = 8
"""Questions about the same frames that are answered side by side."""
COLUMNS: Final = 4096
"""Columns of the prompts that are answered side by side."""


class FewFrames:
    """The frames of one video, encoded once, any few of which make a video of their own."""

    def __init__(self, model: VLM, video: LocalVideo) -> None:
        """Takes what answers, and an open video."""
        self._model: Final = model
        self._sift: Final = VideoCompressor(vlm=model, strategy="uniform", keep=1.0, fps=FPS)
        self._video: Final = self._sift.encode(video, signals=frozenset[str]())

    def answers(self, asked: Sequence[Asked]) -> dict[Asked, str]:
        """Returns what the model says to each question, greedily, from its frames alone."""
        by_frames: dict[tuple[int, ...], list[Asked]] = {}
        for one in asked:
            by_frames.setdefault(one[1], []).append(one)
        alone = [own[0] for own in by_frames.values() if len(own) == 1]
        said: dict[Asked, str] = {}
        for batch in _batches({one: self._prompt(*one) for one in alone}):
            said |= self._said(batch, collate)
        for own in by_frames.values():
            # What they share is read once.
            for start in range(0, len(own) if len(own) > 1 else 0, ROWS):
                prompts = {one: self._prompt(*one) for one in own[start : start + ROWS]}
                said |= self._said(prompts, partial(read_once, self._model.hf))
        return said

    def _prompt(self, question: str, frames: tuple[int, ...]) -> Prompt:
        own = self._video.encoded
        few = own.at([own.indices[place] for place in frames])
        video = self._sift.reduce(replace(self._video, encoded=few))
        turn = Turn(role="user", text=question, videos=(video,))
        return fitting_prompt(self._model, [turn], SHORT.max_new_tokens, "auto")

    def _said(
        self,
        prompts: dict[Asked, Prompt],
        side_by_side: Callable[[Sequence[Prompt], int], dict[str, Any]],
    ) -> dict[Asked, str]:
        tokenizer = self._model.tokenizer
        padding = tokenizer.pad_token_id
        padding = tokenizer.eos_token_id if padding is None else padding
        inputs = side_by_side([*prompts.values()], padding)
        words, _ = complete_batch(self._model.hf, tokenizer, inputs, SHORT)
        return dict(zip(prompts, words, strict=True))


def _batches(prompts: dict[Asked, Prompt]) -> list[dict[Asked, Prompt]]:
    """Returns prompts of about equal length together, as many as `COLUMNS` hold."""
    batches: list[dict[Asked, Prompt]] = []
    longest = 0
    for one, prompt in sorted(prompts.items(), key=lambda item: -len(item[1].input_ids)):
        if not batches or (len(batches[-1]) + 1) * longest > COLUMNS:
            batches.append({})
            longest = len(prompt.input_ids)
        batches[-1][one] = prompt
    return batches
