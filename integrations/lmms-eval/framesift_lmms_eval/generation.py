"""The harness's `generation_kwargs` as framesift's `Generation`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from framesift import Generation
from framesift.errors import InvalidOptionError

logger = logging.getLogger(__name__)

DEFAULT_NEW_TOKENS: Final = 1024
"""Longest answer where the task sets none, as in the harness's own models."""
READ: Final = frozenset(
    {"max_new_tokens", "temperature", "do_sample", "top_p", "top_k", "num_beams", "until"}
)
OF_OTHERS: Final = frozenset({"image_aspect_ratio", "image_sizes", "modalities", "use_cache"})
"""Keys by which tasks speak to certain models, and which change no answer here."""


def generation_of(options: Mapping[str, Any]) -> Generation:
    """Returns how an answer is chosen under the options of a task.

    Without `do_sample`, a temperature above 0 draws, as in the harness's own models.

    Raises:
        InvalidOptionError: beams, or a value out of range.
    """
    if options.get("num_beams") not in (None, 1):
        raise InvalidOptionError(
            f"num_beams={options['num_beams']!r} is not supported, answers come from one beam; "
            "pass --gen_kwargs num_beams=1"
        )
    if unknown := sorted(options.keys() - READ - OF_OTHERS):
        logger.warning("generation options without effect: %s", ", ".join(unknown))
    until = options.get("until") or ()
    draws = options.get("do_sample", True)
    return Generation(
        max_new_tokens=int(options.get("max_new_tokens") or DEFAULT_NEW_TOKENS),
        temperature=float(options.get("temperature") or 0.0) if draws else 0.0,
        top_p=options.get("top_p"),
        top_k=options.get("top_k"),
        stop=(until,) if isinstance(until, str) else tuple(until),
    )
