"""Generates the answers to several prompts side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from framesift.answering.generation import Generation, end_tokens, settings_of
from framesift.errors import InvalidOptionError
from framesift.hf.compiling import (
    compile_errors,
    in_own_thread,
    not_compiled,
    note_failure,
    obstacle,
    over_fixed,
)
from framesift.hf.fixed_cache import new_cache


@torch.no_grad()
def complete_batch(
    model: Any, tokenizer: Any, inputs: dict[str, Any], generation: Generation
) -> tuple[list[str], list[str]]:
    """Returns the words after each of several prompts, as `collate` lays them, and warnings.

    The warnings say why the decoding step was not compiled, where it was asked for.

    Raises:
        InvalidOptionError: `generation` draws or stops at a text, which is done one by one.
    """
    if generation.temperature or generation.stop:
        raise InvalidOptionError(
            f"temperature={generation.temperature!r} and stop={generation.stop!r} are for one "
            "prompt at a time; in a batch leave both out"
        )
    config = settings_of(model, generation, end_tokens(model, tokenizer))
    length = inputs["input_ids"].shape[1]
    reason = obstacle(model) if generation.compiled else None
    if generation.compiled and reason is None:
        ids, reason = _over_fixed(model, inputs, config)
    else:
        ids = model.generate(**inputs, generation_config=config)
    words = [
        tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
        for row in ids[:, length:]
    ]
    return words, [not_compiled(reason)] if reason else []


def _over_fixed(model: Any, inputs: dict[str, Any], config: Any) -> tuple[Tensor, str | None]:
    """Returns what `generate` gives, and why that was not compiled."""
    columns = inputs["input_ids"].shape[1] + config.max_new_tokens
    fixed = new_cache(model, columns).take(inputs.get("past_key_values"), columns)
    inputs, held = {**inputs, "past_key_values": fixed}, fixed.columns
    try:
        return in_own_thread(model, lambda _: over_fixed(model, inputs, config)), None
    except compile_errors() as error:
        reason = note_failure(model, error)
    fixed.cut(held)
    config.update(disable_compile=True)
    with fixed.decoding():
        return model.generate(**inputs, generation_config=config), reason
