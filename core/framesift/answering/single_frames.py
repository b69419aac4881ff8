"""What a vision LLM makes of each frame of a video alone, all frames side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from framesift.answering.judging import CAPTION, FINAL, JUDGE, asked, evaluation_in
from framesift.answering.prompt_batch import PromptBatch
from framesift.answering.true_false import share_of_true
from framesift.errors import InvalidOptionError
from framesift.hf.letters import text_ids
from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.options import shown
from framesift.types.plan import TokenPlan
from framesift.types.question import check_question
from framesift.types.tokens import VideoTokens
from framesift.vlms.base import VLM

AT_ONCE: Final = 32
"""Frames that are read side by side."""
HELD_BYTES: Final = 2 * 2**30
"""Keys and values that are held between questions; of what exceeds them frames are read again."""


class SingleFrames:
    """The frames of a video for a vision LLM that sees one of them at a time.

    All prompts of one question have the same length, so nothing is padded, and what stands before
    the question is read once for all questions.
    """

    def __init__(self, vlm: VLM, tokens: VideoTokens, *, at_once: int = AT_ONCE) -> None:
        """Takes the frames.

        Args:
            vlm: what sees them.
            tokens: what its own encoder made of frames, each a time step of its own (`EachAlone`).
            at_once: frames that are read side by side.
        """
        self._batches: Final = [
            PromptBatch(
                vlm,
                one_picture(vlm, tokens),
                tokens.features[start : start + at_once],
                None if tokens.layers is None else tokens.layers[start : start + at_once],
            )
            for start in range(0, tokens.frame_count, at_once)
        ]
        self._vlm: Final = vlm

    def answer_probability(self, question: str, answer: str, choices: Sequence[str] = ()) -> Tensor:
        """Returns how probable an answer is from each frame alone, float32 `(T,)` in [0, 1].

        It is the probability that the model says the answer and nothing else, however the answer
        begins: with a capital or small letter, with or without a space. Among choices it is the
        answer's share of what the model gives to all of them.

        Args:
            question: what is asked.
            answer: the right one.
            choices: all answers to choose from, the right one among them; none for a free answer.

        Raises:
            InvalidOptionError: a text is empty, or the answer is not among the choices.
        """
        check_question(question)
        answers = [answer, *(choice for choice in choices if choice != answer)]
        if choices and answer not in choices:
            raise InvalidOptionError(
                f"answer={shown(answer)} is not one of choices={shown(list(choices))}"
            )
        wordings = [self._wordings(text) for text in answers]

        def judge(batch: PromptBatch) -> Tensor:
            prompt = batch.prompt(question)
            first = batch.next_logits(prompt)
            each = [
                torch.stack([batch.log_probability(prompt, first, ids) for ids in known])
                for known in wordings
            ]
            said = torch.stack([logs.logsumexp(0) for logs in each])
            return said.softmax(0)[0] if choices else said[0].exp().clamp(max=1.0)

        return self._of_all(judge)

    def truth(
        self,
        question: str,
        choices: Sequence[str] = (),
        *,
        explained: bool = True,
        most_new_tokens: int = 256,
    ) -> Tensor:
        """Returns how sure the model is that each frame helps to answer, float32 `(T,)` in [0, 1].

        It is the probability of True among True and False behind `Evaluation:`, where the model
        has written that line, or is made to.

        Args:
            question: about the video.
            choices: answers to choose from, where they are to be shown.
            explained: whether the model explains itself first; else the evaluation is all it says.
            most_new_tokens: longest explanation.
        """
        check_question(question)
        text = f"{JUDGE}\n{asked(question, choices)}"

        def judge(batch: PromptBatch) -> Tensor:
            prompt = batch.prompt(text)
            said = batch.generate(prompt, most_new_tokens) if explained else [""] * len(batch)
            return share_of_true(batch, prompt, [_up_to_evaluation(words) for words in said])

        return self._of_all(judge)

    def captions(self, most_new_tokens: int = 64) -> list[str]:
        """Returns a sentence about each frame."""
        return [
            " ".join(words.split())
            for batch in self._in_turn()
            for words in batch.generate(batch.prompt(CAPTION), most_new_tokens)
        ]

    def _wordings(self, answer: str) -> list[list[int]]:
        """Returns the token sequences that all mean an answer."""
        if not isinstance(answer, str) or not answer.strip():
            raise InvalidOptionError(f"answer={shown(answer)} must be text; give the right answer")
        text = answer.strip()
        spellings = [text, text[0].swapcase() + text[1:]]
        spelled = [
            text_ids(self._vlm.tokenizer, f"{gap}{s}") for s in spellings for gap in ("", " ")
        ]
        return [list(ids) for ids in dict.fromkeys(map(tuple, spelled)) if ids]

    def _of_all(self, judge: Callable[[PromptBatch], Tensor]) -> Tensor:
        """Returns the values of all frames `(T,)`, and frees what holds too much memory."""
        return torch.cat([judge(batch) for batch in self._in_turn()])

    def _in_turn(self) -> Iterator[PromptBatch]:
        for batch in self._batches:
            yield batch
            if sum(each.nbytes for each in self._batches) > HELD_BYTES:
                batch.forget()


def _up_to_evaluation(said: str) -> str:
    """Returns a judgement up to its last `Evaluation:`, which is added where it has none."""
    found = evaluation_in(said)
    if found is None:
        return f"{said.rstrip()}\n{FINAL}" if said.strip() else FINAL
    return said[: found.start(1)].rstrip()


def one_picture(vlm: VLM, tokens: VideoTokens) -> CompressedVideo:
    """Returns the first frame of a video as a video of its own, at 0 s, with all of its tokens."""
    count = tokens.tokens_per_frame
    plan = TokenPlan.keep(torch.arange(count), num_in=count, tokens_per_frame=count)
    zero, place = torch.zeros(1, dtype=torch.float64), torch.arange(count)
    layers = None if tokens.layers is None else tokens.layers[0]
    step = None if tokens.step_seconds is None else torch.zeros_like(tokens.step_seconds[:1])
    return CompressedVideo(
        tokens=tokens.features[0],
        plan=plan,
        positions=torch.stack(
            [torch.zeros(count), place // tokens.grid[1], place % tokens.grid[1]], dim=1
        ).float(),
        pts_seconds=zero.expand(count).clone(),
        frame_seconds=zero,
        layers=layers,
        step_seconds=None if step is None else step.double(),
        report=CompressionReport(
            uri="a frame",
            duration_seconds=0.0,
            tokens_in=count,
            tokens_out=count,
            frames_in=1,
            frames_encoded=1,
            frames_out=1,
            budget=count,
            keep=1.0,
            strategy="uniform",
            encoder=vlm.encoder.spec,
            weights=vlm.encoder.weights,
            decoder="none",
            fps=1.0,
            grid=tokens.grid,
            tokens_per_frame_kept=[count],
            seconds={},
        ),
    )
