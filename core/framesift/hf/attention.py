"""Listeners of attention: they get the queries and keys that go into the fast kernel.

There is one switch for all listeners. It is counted, so that a model has its own attention function
back when the last of them has gone. Each listener gets the calls of its own context only, so that
threads which share a model do not see one another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, Final, Protocol

from torch import Tensor

from framesift.registry import require

NAME: Final = "framesift"
"""What the attention function is called among those of transformers."""


class Listener(Protocol):
    """Takes the queries and keys of attention layers."""

    def note(self, query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> None:
        """Takes one call: `query` `(B, heads, q, Dk)`, `key` `(B, groups, kv, Dk)`, the mask."""


Listeners = Callable[[Any], Iterable[Listener]]
"""Returns the listeners of an attention module."""


@dataclass(slots=True, eq=False)
class _Switched:
    """A configuration whose attention function is ours at present."""

    config: Any
    before: str | None
    """Its own attention function, which it has back after the last listener."""
    count: int = 0


_lock: Final = Lock()
_switched: Final[dict[int, _Switched]] = {}
_listening: ContextVar[tuple[Listeners, ...]] = ContextVar("framesift_listening", default=())


@contextmanager
def listening(config: Any, listeners: Listeners) -> Iterator[None]:
    """Calls listeners with what the attention modules of `config` get within the block.

    The modules compute by `sdpa` there, also where `config` names another function; it has its own
    setting back after the last listener.
    """
    _register()
    token = _listening.set((*_listening.get(), listeners))
    try:
        _switch(config)
        try:
            yield
        finally:
            _switch_back(config)
    finally:
        _listening.reset(token)


def own_attention(config: Any) -> str | None:
    """Returns the attention function that `config` names when there are no listeners."""
    with _lock:
        entry = _switched.get(id(config))
        own: str | None = config._attn_implementation if entry is None else entry.before
        return own


def _switch(config: Any) -> None:
    with _lock:
        entry = _switched.setdefault(id(config), _Switched(config, config._attn_implementation))
        entry.count += 1
        config._attn_implementation = NAME


def _switch_back(config: Any) -> None:
    with _lock:
        entry = _switched[id(config)]
        entry.count -= 1
        if not entry.count:
            del _switched[id(config)]
            config._attn_implementation = entry.before


@cache
def _register() -> None:
    """Registers `sdpa` with transformers under our name, as one that calls the listeners too.

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
        for listeners in _listening.get():
            for listener in listeners(module):
                listener.note(query, key, attention_mask, scale)
        result: tuple[Tensor, None] = sdpa(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return result

    transformers.AttentionInterface.register(NAME, attend)
    transformers.AttentionMaskInterface.register(NAME, masks.sdpa_mask)
