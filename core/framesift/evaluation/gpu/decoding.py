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
from framesift.evaluation.gpu.answers import ANSWER, QUESTIONS, BothPaths
from framesift.evaluation.gpu.clock import DeviceClock
from framesift.types.video import LocalVideo

SPARE_COLUMNS: Final = 512
"""Room for question and answer beside the video."""


def decoding(paths: BothPaths, local: LocalVideo, keep: float) -> dict[str, Any]:
    """Returns milliseconds per token of both ways, and of framesift's compiled step.

    The compiled step is set beside the same answers without it, in the same run.

    Args:
        paths: one video.
        local: its file.
        keep: share of its tokens.
    """
    clock, sift = paths.clock, VideoCompressor(vlm=paths.vlm, keep=keep)
    ask = partial(_questions, clock, sift, local)
    usual = ask(ANSWER)
    columns = len(paths.reduced(paths.encoded(), keep).tokens) + SPARE_COLUMNS
    reasons: list[str | None] = []
    compiling = clock.once(lambda: reasons.append(warm_up(paths.vlm, columns)))
    compiled = ask(replace(ANSWER, compiled=True))
    more = ANSWER.max_new_tokens
    long = clock.seconds(partial(paths.own_answer, 1 + more), warm=False)
    short = clock.seconds(partial(paths.own_answer, 1), warm=False)
    return {
        "frames": len(paths.frames),
        "keep": keep,
        "own_ms_per_token": 1e3 * (long - short) / more,
        "usual": usual,
        "compiled": compiled,
        "not_compiled": reasons[0],
        "compile_seconds": compiling,
        "compiled_times_usual": compiled["ms_per_token"] / usual["ms_per_token"],
    }


def _questions(
    clock: DeviceClock, sift: VideoCompressor, local: LocalVideo, generation: Generation
) -> dict[str, Any]:
    """Returns what a first question takes from the file on, and a second one about the video."""
    firsts, seconds, per_token = list[float](), list[float](), list[float]()
    for _ in range(1 + clock.repeats):
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
