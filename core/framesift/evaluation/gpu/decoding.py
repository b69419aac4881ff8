"""What the tokens after the first one take, and questions after the first one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any, Final

from framesift.answering.chat import Chat
from framesift.answering.generation import Generation
from framesift.answering.warming import warm_up
from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.gpu.answers import ANSWER, QUESTIONS, BothPaths, Tried
from framesift.evaluation.gpu.clock import DeviceClock
from framesift.types.video import LocalVideo

SPARE_COLUMNS: Final = 512
"""Room for question and answer beside the video."""


def decoding(paths: BothPaths, local: LocalVideo, keep: float, tried: Tried) -> dict[str, Any]:
    """Returns milliseconds per token of both ways, and of framesift's compiled step.

    The compiled step is set beside the same answers without it, in the same run.

    Args:
        paths: one video.
        local: its file.
        keep: share of its tokens.
        tried: runs a part that may fail without the others.
    """
    clock, sift = paths.clock, VideoCompressor(vlm=paths.vlm, keep=keep)
    ask = partial(_questions, clock, sift, local)
    usual = ask(ANSWER)
    columns = len(paths.reduced(paths.encoded(), keep).tokens) + SPARE_COLUMNS
    title = f"{paths.model.published}, {len(paths.frames)} frames"

    def warmed() -> dict[str, Any]:
        reasons: list[str | None] = []
        compiling = clock.once(lambda: reasons.append(warm_up(paths.vlm, columns)))
        found = ask(replace(ANSWER, compiled=True))
        return {**found, "compile_seconds": compiling, "not_compiled": reasons[0]}

    compiled = tried(f"{title}: answers, compiled", warmed)
    return {
        "frames": len(paths.frames),
        "keep": keep,
        "own_ms_per_token": tried(f"{title}: answer of the own path", partial(_own_ms, paths)),
        "usual": usual,
        "compiled": compiled,
        "compiled_times_usual": compiled and compiled["ms_per_token"] / usual["ms_per_token"],
    }


def _own_ms(paths: BothPaths) -> float:
    """Returns the milliseconds of a token after the first one by the own path."""
    clock, more = paths.clock, ANSWER.max_new_tokens
    # The first one warms up what the sections before did not run.
    long = clock.seconds(partial(paths.own_answer, 1 + more))
    return 1e3 * (long - clock.seconds(partial(paths.own_answer, 1), warm=False)) / more


def _questions(
    clock: DeviceClock, sift: VideoCompressor, local: LocalVideo, generation: Generation
) -> dict[str, Any]:
    """Returns what a first question takes from the file on, and a second one about the video."""
    firsts, seconds, per_token = list[float](), list[float](), list[float]()
    for _ in range(1 + clock.rounds):
        chats: list[Chat] = []

        def first(chats: list[Chat] = chats) -> None:
            chats.append(sift.open(local))
            chats[0].ask(QUESTIONS[0], generation=generation, evidence=None)

        def second(chats: list[Chat] = chats) -> None:
            usage = chats[0].ask(QUESTIONS[1], generation=generation, evidence=None).usage
            per_token.append(usage.decode_seconds / max(1, usage.answer_tokens - 1))

        firsts.append(clock.once(first))
        seconds.append(clock.once(second))
        chats[0].close()
    # The first round is the warm one.
    return {
        "first_question_seconds": median(firsts[1:]),
        "second_question_seconds": median(seconds[1:]),
        "second_times_first": median(seconds[1:]) / median(firsts[1:]),
        "ms_per_token": 1e3 * median(per_token[1:]),
    }
