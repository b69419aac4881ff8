"""Prompts for training: several questions behind the columns of one video.

A question sees the video and itself, so that a video is read once for all of its questions:

    part       0   0 0 0 0   1 1 1 1 1   2 2 2 2
    column     <   ■ ■ ■ ■   Where? Left Who? I
    position   0   1 3 5 7   9 . . . .   9 . . .
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

import torch
from torch import Tensor

from framesift.compression.reducing import applied
from framesift.hf.chat_template import render
from framesift.hf.letters import Letters, free_seam, text_ids
from framesift.training.packing import IGNORED_LABEL, VIDEO
from framesift.training.time_perceiver.lessons import Lesson
from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens
from framesift.vlms.base import VLM, Prompt, Turn
from framesift.vlms.prompt import as_messages

PLACE: Final = "\U000f0000"
"""Stands in a chat template where a question goes."""
QUESTIONS_KEPT: Final = 4096
VIDEOS_KEPT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPrompt:
    """A row for the LLM."""

    ids: Tensor
    """Token ids, int64 `(L,)`."""
    positions: Tensor
    """Position of each column, int64 `(L,)`, or `(3, L)` for M-RoPE."""
    parts: Tensor
    """`VIDEO`, or the number of the question that each column belongs to, int64 `(L,)`."""
    labels: Tensor
    """Ids that are to be foretold, else `IGNORED_LABEL`, int64 `(L,)`."""
    columns: Tensor
    """Columns that hold visual tokens, int64 `(V,)`."""
    rows: Tensor
    """Row of the plan that each of them is, -1 for one that the family adds, int64 `(V,)`."""


class PromptPacker:
    """Makes the prompts of a vision LLM as it is asked, with the answers behind the questions."""

    def __init__(self, vlm: VLM) -> None:
        self._vlm = vlm
        self._end = int(vlm.tokenizer.eos_token_id)
        self._asked = lru_cache(maxsize=QUESTIONS_KEPT)(self._asked_anew)
        self._told = lru_cache(maxsize=QUESTIONS_KEPT)(self._told_anew)
        self._seen = lru_cache(maxsize=VIDEOS_KEPT)(self._seen_anew)

    def packed(
        self, plan: TokenPlan, times_seconds: Sequence[float], lessons: Sequence[Lesson]
    ) -> PackedPrompt:
        """Returns the row of a video and its questions, with their answers.

        Args:
            plan: which tokens of the video make its rows; the same object each time is quicker.
            times_seconds: of its frames.
            lessons: the questions.
        """
        prompt = self._seen(plan, tuple(times_seconds))
        prefix, held = prompt.prefix_length, prompt.position_ids
        ids, labels = [prompt.input_ids[:prefix]], [torch.full((prefix,), IGNORED_LABEL)]
        parts, positions = [torch.full((prefix,), VIDEO)], [held[..., :prefix]]
        for number, lesson in enumerate(lessons, start=1):
            asked, told = self._asked(lesson.question), self._told(lesson.answer)
            count = len(asked) + len(told)
            ids += [asked, told]
            labels += [torch.full_like(asked, IGNORED_LABEL), told]
            parts.append(torch.full((count,), number))
            # Text behind the video counts on, one position a column.
            positions.append(held[..., prefix, None] + torch.arange(count))
        return PackedPrompt(
            ids=torch.cat(ids),
            positions=torch.cat(positions, dim=-1),
            parts=torch.cat(parts),
            labels=torch.cat(labels),
            columns=prompt.visual.nonzero().flatten(),
            rows=prompt.rows,
        )

    def _seen_anew(self, plan: TokenPlan, times_seconds: tuple[float, ...]) -> Prompt:
        """Returns the prompt of a video on the CPU, with any question."""
        video = stand_in(self._vlm, plan, times_seconds)
        prompt = self._vlm.prompt([Turn(role="user", text="?", videos=(video,))])
        names = ("input_ids", "position_ids", "visual")
        return replace(prompt, **{name: getattr(prompt, name).cpu() for name in names})

    def _told_anew(self, answer: str) -> Tensor:
        return torch.tensor([*text_ids(self._vlm.tokenizer, answer), self._end])

    def _asked_anew(self, question: str) -> Tensor:
        """Returns the ids of all that follows the video, up to where the answer begins."""
        if self._skipped is None:
            return self._as_prompt(question)
        return torch.tensor(self._as_text(question)[self._skipped :])

    @cached_property
    def _skipped(self) -> int | None:
        """How many ids of `_as_text` belong to the video; None where its end is no fixed text.

        Reading the text alone takes a tenth of the time of a prompt.
        """
        skipped = set()
        for probe in ("?", "What is this?"):
            ids, whole = self._as_text(probe), self._as_prompt(probe).tolist()
            if ids[-len(whole) :] != whole:
                return None
            skipped.add(len(ids) - len(whole))
        return skipped.pop() if len(skipped) == 1 else None

    def _as_text(self, question: str) -> list[int]:
        """Returns the ids of what the template writes behind a video, from its last token on."""
        letters, around = Letters.of(self._vlm.tokenizer), self._around
        seam = free_seam([*around, question])
        guarded = letters.guarded(question, seam, also=[self._vlm.placeholder])
        return letters.encode(guarded.join(around), seam, add_special_tokens=False)[0]

    @cached_property
    def _around(self) -> tuple[str, str]:
        vlm = self._vlm
        turn = Turn(role="user", text=PLACE, videos=(self._one_frame,))
        messages = as_messages([turn], [[vlm.item] * len(vlm.blocks(self._one_frame))], str)
        text = render(
            vlm.called,
            vlm.tokenizer,
            vlm.chat_template,
            messages,
            trust_remote_code=vlm.trust_remote_code,
        )
        before, _, after = text.rpartition(vlm.placeholder)[2].partition(PLACE)
        return str(vlm.tokenizer.convert_ids_to_tokens(vlm.visual_id)) + before, after

    def _as_prompt(self, question: str) -> Tensor:
        """Returns the ids behind the video of a prompt."""
        prompt = self._vlm.prompt([Turn(role="user", text=question, videos=(self._one_frame,))])
        return prompt.input_ids[prompt.prefix_length :].cpu()

    @cached_property
    def _one_frame(self) -> CompressedVideo:
        grid = self._vlm.encoder.grid
        count = grid[0] * grid[1]
        plan = TokenPlan.keep(torch.arange(count), num_in=count, tokens_per_frame=count)
        return stand_in(self._vlm, plan, [0.0])


def stand_in(vlm: VLM, plan: TokenPlan, times_seconds: Sequence[float]) -> CompressedVideo:
    """Returns a compressed video with the plan of a real one, whose tokens are all zero."""
    encoder = vlm.encoder
    grid, frames = encoder.grid, len(times_seconds)
    count = plan.num_out
    tokens = VideoTokens(
        features=torch.zeros(frames, plan.tokens_per_frame, 1),
        grid=grid,
        pts_seconds=torch.tensor(times_seconds, dtype=torch.float64),
    )
    step = 1.0 if frames < 2 else (times_seconds[-1] - times_seconds[0]) / (frames - 1)
    report = CompressionReport(
        uri="training",
        duration_seconds=times_seconds[-1] + step,
        tokens_in=plan.num_in,
        tokens_out=count,
        frames_in=frames,
        frames_encoded=frames,
        frames_out=frames,
        budget=count,
        keep=1.0,
        strategy="slow-fast",
        encoder=encoder.spec,
        weights=vlm.weights,
        decoder="none",
        fps=1.0 / max(step, 1e-6),
        grid=grid,
        tokens_per_frame_kept=plan.frame_counts().tolist(),
        seconds={},
    )
    features = torch.zeros(count, vlm.width)
    return CompressedVideo(report=report, **applied(tokens, plan, features))
