"""The settings of a checkpoint's generation_config.json that reach `generate`, checked."""

from __future__ import annotations

from typing import Any, Final

from framesift.registry import require

TOKENS: Final = ("bos_token_id", "eos_token_id", "pad_token_id")
LISTS: Final = ("suppress_tokens", "begin_suppress_tokens", "bad_words_ids")
LONGEST: Final = 4096
"""Tokens that a list names at most."""
PENALTIES: Final = (0.1, 10.0)
"""Bounds of `repetition_penalty`."""


def plain_settings(given: Any, rows: int) -> Any:
    """Returns the settings that say which tokens end an answer, fill it up or stay out of it.

    All others are for `generate` as it is called elsewhere: some make it slow or choose other code.

    Args:
        given: the checkpoint's `GenerationConfig`.
        rows: size of the LLM's vocabulary; what names a token beyond it is left out.
    """
    kept: dict[str, Any] = {}
    for name in (*TOKENS, *LISTS):
        value = getattr(given, name, None)
        if (ids := _tokens(value, rows)) is not None:
            kept[name] = ids
    penalty = getattr(given, "repetition_penalty", None)
    if isinstance(penalty, int | float) and PENALTIES[0] <= penalty <= PENALTIES[1]:
        kept["repetition_penalty"] = float(penalty)
    return require("transformers", extra="hf").GenerationConfig(**kept)


def _tokens(value: Any, rows: int) -> Any:
    """Returns token ids in the shape that they have, one, several or lists of them; else None."""
    if type(value) is int:
        return value if 0 <= value < rows else None
    if not isinstance(value, list) or not 0 < len(value) <= LONGEST:
        return None
    known = [_tokens(item, rows) for item in value if not isinstance(item, list) or len(item) < 64]
    return [item for item in known if item is not None] or None
