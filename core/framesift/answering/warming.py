"""Compiles a model's decoding step before somebody waits for an answer."""

from __future__ import annotations

from typing import Final

import torch

from framesift.answering.generation import Generation, settings_of
from framesift.answering.prefix_cache import PrefixCache
from framesift.hf.checkpoint_reading import in_one_line
from framesift.hf.compiling import (
    compile_errors,
    in_own_thread,
    note_failure,
    obstacle,
    over_fixed,
)
from framesift.hf.model_use import alone_with
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Turn

COLUMNS: Final = 8192
"""Columns of prompt and answer that are prepared for; a longer prompt is compiled for anew."""
STEPS: Final = 6
"""Tokens after which the step is compiled, has run once and is recorded as a graph."""


def compiles(vlm: VLM) -> bool:
    """Whether `Generation(compiled=True)` has an effect on the model where it is now."""
    return obstacle(vlm.hf) is None


def warm_up(vlm: VLM, columns: int = COLUMNS) -> str | None:
    """Has the next answers with `Generation(compiled=True)` find their decoding step compiled.

    It takes about half a minute, in which the model answers nobody else.

    Args:
        vlm: the model, which is loaded when it is not yet.
        columns: tokens of prompt and answer together up to which nothing is compiled later.

    Returns:
        Why nothing is compiled on this model; None once it is.
    """
    if (reason := obstacle(vlm.hf)) is not None:
        return reason
    held, prompt = PrefixCache(), vlm.prompt([Turn(role="user", text="?")])
    config = settings_of(vlm.hf, Generation(max_new_tokens=STEPS), ())
    with torch.no_grad(), alone_with(vlm.hf), in_one_line(vlm.model, doing="run"):
        inputs, _ = held.prepare(vlm.hf, prompt, room=columns)
        try:
            in_own_thread(vlm.hf, lambda _: over_fixed(vlm.hf, inputs, config))
        except compile_errors() as error:
            return note_failure(vlm.hf, error)
        except torch.OutOfMemoryError:
            return f"{vlm.hf.device} has no memory for a cache of {columns} columns"
    return None
