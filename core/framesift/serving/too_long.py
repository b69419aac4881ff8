"""How many frames fit, where an engine says that a prompt is too long or has too many pictures.

Engines say it in words of their own, most of them with the numbers: vLLM, SGLang, Ollama, llama.cpp
and hosted APIs.
"""

from __future__ import annotations

import math
from typing import Final

ABOUT: Final = ("context", "model length", "prompt", "input length")
"""What stands in every refusal of a long prompt."""
BY: Final = "exceeded max context length by"
"""Ollama says how many tokens are too many."""
ROOMS: Final = ("maximum", "context length", "context size", ">=")
"""After the first of these stands how many tokens there may be."""
NO_NUMBERS: Final = ("exceeds the context length", "exceeds the available context size")
PICTURES: Final = ("at most", "exceeds limit")
"""After these stands how many pictures there may be, in vLLM and in SGLang."""


def frames_that_fit(message: str, frames: int, tokens_each: int) -> int | None:
    """Returns about how many of the frames that were sent fit; None where the error is another.

    Args:
        message: of the engine's error.
        frames: that were sent.
        tokens_each: visual tokens of one frame, as they are counted here.
    """
    line = message.lower()
    if "image" in line and "token" not in line:
        for mark in PICTURES:
            most = _numbers(line.partition(mark)[2])[:1]
            if most and 0 < most[0] < frames:
                return most[0]
        return None
    over = tokens_over(message)
    if over == 0:
        return frames // 2
    return None if over is None else max(0, frames - math.ceil(over / max(1, tokens_each)))


def tokens_over(message: str) -> int | None:
    """Returns by how many tokens a prompt is too long, 0 where the engine does not say by how many.

    None is returned of an error that is another.
    """
    line = message.lower()
    if not any(words in line for words in ABOUT) or "is too large" in line:
        return None  # the last is said of an answer that is to be too long
    if by := _numbers(line.partition(BY)[2])[:1]:
        return by[0]
    for mark in ROOMS:
        if room := _numbers(line.partition(mark)[2])[:1]:
            over = max(_numbers(line)) - room[0]
            return over if over > 0 else None
    return 0 if any(words in line for words in NO_NUMBERS) else None


def _numbers(text: str) -> list[int]:
    """Returns the whole numbers in a text."""
    digits = "".join(c if c in "0123456789" else " " for c in text)
    return [int(number) for number in digits.split() if len(number) < 10]
