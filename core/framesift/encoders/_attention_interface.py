"""Listening to attention: what transformers' fast attention is called with, told beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol

from torch import Tensor

from framesift.registry import require


class Listener(Protocol):
    """Something that wants to know the queries and keys of attention layers."""

    def note(self, query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> None:
        """Takes one call: `query` `(B, heads, q, Dk)`, `key` `(B, groups, kv, Dk)`, the mask."""


Listeners = Callable[[Any], Iterable[Listener]]
"""Gives those that listen to an attention module."""


@cache
def register(name: str, listeners: Listeners) -> None:
    """Makes `sdpa` known to transformers under another name, as one that tells its listeners.

    This is the door that transformers keeps for attention functions: a model whose configuration
    names it computes what it did before, to the bit.
    """
    transformers = require("transformers", extra="hf")
    sdpa = require("transformers.integrations.sdpa_attention", extra="hf").sdpa_attention_forward
    masks = require("transformers.masking_utils", extra="hf")

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        **options: Any,
    ) -> tuple[Tensor, None]:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        for listener in listeners(module):
            listener.note(query, key, attention_mask, scale)
        result: tuple[Tensor, None] = sdpa(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return result

    transformers.AttentionInterface.register(name, attend)
    transformers.AttentionMaskInterface.register(name, masks.sdpa_mask)
