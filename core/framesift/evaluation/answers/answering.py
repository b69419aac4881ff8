"""Asks a model about videos that were shortened in many ways; each video is encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from framesift.answering.batch import complete_batch
from framesift.answering.generation import Generation
from framesift.answering.limits import Positions, fitting_prompt
from framesift.answering.prefix_cache import read_once
from framesift.compression.compressor import VideoCompressor
from framesift.compression.encoding import EncodedVideo
from framesift.errors import MissingSignalError
from framesift.evaluation import provenance
from framesift.evaluation.answers.log import (
    BLIND,
    KEEPS,
    ONE_FRAME,
    RUN,
    WHOLE,
    Answered,
    AnswerLog,
)
from framesift.evaluation.answers.question_sets import BenchmarkQuestion, BenchmarkVideo
from framesift.evaluation.answers.served import check_served
from framesift.strategies import registry
from framesift.strategies.base import Strategy, create_strategy
from framesift.types.budget import Budget
from framesift.types.tokens import VideoTokens
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Prompt, Turn, collate

UNSEEN: Final = "commonest answer"
"""The strategy's name of answers that are the commonest ones in training."""
SHORT: Final = Generation(max_new_tokens=24)
FIRST_TOKEN: Final = Generation(max_new_tokens=1)
BATCH: Final = 8
INSIDE: Final = "inside the LLM"
RANDOM: Final = "random"
SEEDS: Final = range(5)
"""Of the choices that `random` is the mean of."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to shorten the prompt."""

    name: str
    keep: float = 1.0
    """Share of the tokens; above 1, the most tokens of a video."""
    strategy: str = "uniform"
    spec: str | None = None
    """What a log says that a name of its own stands for."""
    frames: int | None = None
    """Most frames' worth of tokens."""
    in_whole_frames: bool = False
    """Whether frames are kept in full or not at all, as far as one fits."""
    positions: Positions = "auto"

    @cached_property
    def part(self) -> Strategy:
        """The strategy, made once, since it may hold a network."""
        return create_strategy(self.strategy)

    @property
    def is_inside(self) -> bool:
        """Whether tokens are dropped within the LLM."""
        return self.part.applies_to == INSIDE

    @property
    def is_shared(self) -> bool:
        """Whether all questions about a video are asked of the same columns, before the LLM."""
        return bool(self.keep) and not (self.is_inside or self.part.is_per_question)

    def budget(self, tokens: VideoTokens) -> Budget:
        """Returns how many of a video's tokens may survive."""
        each = tokens.tokens_per_frame
        if self.frames is not None:
            return Budget(max_tokens=self.frames * each)
        budget = Budget(max_tokens=int(self.keep)) if self.keep > 1 else Budget(keep=self.keep)
        if not self.in_whole_frames:
            return budget
        most = budget.tokens(tokens.count)
        return Budget(max_tokens=most // each * each or most)

    def outside(self, model: VLM, encoded: EncodedVideo) -> VideoCompressor | None:
        """Returns what shortens a video before the LLM reads it; None where it reads none."""
        if not self.keep:
            return None
        if self.is_inside:
            return VideoCompressor(vlm=model, strategy="uniform", keep=1.0)
        budget = self.budget(encoded.tokens)
        return VideoCompressor(
            vlm=model, strategy=self.part, keep=budget.keep, max_tokens=budget.max_tokens
        )


def with_runs(way: Way) -> list[Way]:
    """Returns a run with each of `SEEDS` for a way that draws its tokens, the way itself else.

    Which tokens a seed draws depends on their number alone, so that a single one says as much about
    its luck as about chance.
    """
    if way.strategy.strip() != RANDOM:
        return [way]
    return [
        replace(way, name=f"{way.name}{RUN}{number}", strategy=spec, spec=spec)
        for number, spec in enumerate((f"{RANDOM}:seed={seed}" for seed in SEEDS), start=1)
    ]


BASELINES: Final = (
    Way(name=WHOLE),
    Way(name=ONE_FRAME, frames=1),
    Way(name=BLIND, keep=0.0),
    Way(name=UNSEEN, keep=0.0),
)


def ways(
    model: VLM, strategies: Sequence[str] | None = None, keeps: Sequence[float] = KEEPS
) -> tuple[list[Way], dict[str, str]]:
    """Returns the baselines and every strategy at every share, and why strategies are left out.

    Args:
        model: what answers.
        strategies: spec strings; None for all that the model's encoder serves.
        keeps: shares of the tokens.

    Raises:
        MissingSignalError: the encoder does not serve a strategy that was named.
        BudgetError: a share is out of range.
    """
    chosen, left_out = list(BASELINES), {}
    for name in strategies or registry.names():
        try:
            told = provenance.without_folders(name)
            own = [Way(name=told, strategy=name, keep=keep) for keep in keeps]
            for way in own:
                if not way.is_inside:
                    check_served(model, way.part, keep=way.keep)
            chosen += [run for way in own for run in with_runs(way)]
        except MissingSignalError as error:
            if strategies is not None:
                raise
            left_out[name] = str(error)
    return chosen, left_out


def answer_all(
    model: VLM,
    videos: Iterable[BenchmarkVideo],
    chosen: Sequence[Way],
    log: AnswerLog,
    path: Path,
    *,
    timed: int = 8,
) -> Iterator[BenchmarkVideo]:
    """Adds the missing answers to `log` and its file; yields each video when it is done.

    Args:
        model: what answers, greedily.
        videos: with their questions.
        chosen: the ways.
        log: what was answered before.
        path: the log's file.
        timed: of how many videos the time to the first token is taken.
    """
    done = {(*answer.place, *answer.way) for answer in log.answers}

    def is_done(video: BenchmarkVideo, way: Way) -> bool:
        return all((video.name, q.id, way.name, way.keep) in done for q in video.questions)

    for number, video in enumerate(videos):
        left = [way for way in chosen if not is_done(video, way)]
        for answers in _answered(model, video, left, is_timed=number < timed):
            new = [answer for answer in answers if (*answer.place, *answer.way) not in done]
            log.add(path, new)
        yield video


def _answered(
    model: VLM, video: BenchmarkVideo, chosen: Sequence[Way], *, is_timed: bool
) -> Iterator[list[Answered]]:
    if not chosen:
        return
    needed = [way.part.required_signals for way in chosen]
    signals = frozenset().union(*needed) & model.encoder.gives
    encoded = VideoCompressor(vlm=model, fps=video.fps).encode(video.uri, signals=signals)
    for way in chosen:
        replies = _replies(model, encoded, video.questions, way)
        seconds = None
        if is_timed and way.keep:
            seconds = _first_token_seconds(model, encoded, video.questions[0], way)
        yield [
            Answered(
                video=video.name,
                question=question.id,
                kind=question.kind,
                strategy=way.name,
                spec=way.spec,
                keep=way.keep,
                tokens=reply.tokens,
                tokens_before=encoded.tokens.count,
                prompt_tokens=reply.prompt_tokens,
                expected=question.expected,
                said=reply.words,
                right=question.is_right(reply.words),
                first_token_seconds=seconds,
            )
            for question, reply in zip(video.questions, replies, strict=True)
        ]


class _Reply(NamedTuple):
    """What a model said, and what its prompt held."""

    words: str
    tokens: int = 0
    """Visual ones that the answer rests on."""
    prompt_tokens: int = 0


def _replies(
    model: VLM, encoded: EncodedVideo, questions: Sequence[BenchmarkQuestion], way: Way
) -> list[_Reply]:
    if way.name == UNSEEN:
        return [_Reply(question.unseen or "") for question in questions]
    prompts = list(_prompts(model, encoded, questions, way))
    with _door(model, way):
        words = [
            reply
            for first in range(0, len(prompts), BATCH)
            for reply in _generated(model, prompts[first : first + BATCH], way, SHORT)
        ]
    budget = Budget(keep=way.keep) if way.is_inside else Budget(keep=1.0)
    counts = [len(prompt.features) for prompt in prompts]
    return [
        _Reply(reply, n and budget.tokens(n), len(prompt.input_ids))
        for reply, n, prompt in zip(words, counts, prompts, strict=True)
    ]


def _first_token_seconds(
    model: VLM, encoded: EncodedVideo, question: BenchmarkQuestion, way: Way
) -> float:
    """Returns what decoding, encoding, planning and prefill take for one question."""
    start = perf_counter()
    prompts = list(_prompts(model, encoded, [question], way))
    with _door(model, way):
        _generated(model, prompts, way, FIRST_TOKEN)
    decoding = encoded.seconds["decode"]
    read = encoded.seconds.get("wait", decoding) + encoded.seconds["encode"]
    return round(read + perf_counter() - start, 6)


def _prompts(
    model: VLM, encoded: EncodedVideo, questions: Sequence[BenchmarkQuestion], way: Way
) -> Iterator[Prompt]:
    """Yields the prompt of each question; a plan that needs no question is made once."""
    sift = way.outside(model, encoded)
    shared = None
    if sift is not None and not sift.reads_question:
        shared = sift.reduce(encoded, warn=_in_the_log)
    for question in questions:
        videos = []
        if sift is not None:
            videos = [shared or sift.reduce(encoded, question.prompt, warn=_in_the_log)]
        turn = Turn(role="user", text=question.prompt, videos=tuple(videos))
        yield fitting_prompt(model, [turn], SHORT.max_new_tokens, way.positions)


def _in_the_log(warning: str) -> None:
    """Hears that a layout is below its budget, again for each video: answers have their tokens."""


def _door(model: VLM, way: Way) -> AbstractContextManager[object]:
    return model.in_llm(way.strategy, keep=way.keep) if way.is_inside else nullcontext()


def _generated(
    model: VLM, prompts: Sequence[Prompt], way: Way, generation: Generation
) -> list[str]:
    padding = model.tokenizer.pad_token_id
    padding = model.tokenizer.eos_token_id if padding is None else padding
    if way.is_shared and len(prompts) > 1:
        inputs = read_once(model.hf, prompts, padding)
    else:
        inputs = collate(prompts, padding)
    words, _ = complete_batch(model.hf, model.tokenizer, inputs, generation)
    return words
