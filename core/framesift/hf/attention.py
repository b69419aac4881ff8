"""Listeners of attention and borrowers: what goes into the fast kernel is read, or replaced.

There is one switch for all of them. It is counted, so that a model has its own attention function
back when the last of them has gone. Each gets the calls of its own context only, so that threads
which share a model do not see one another's.

Towers that attend to the parts of one long row, its frames or windows, get all parts of a layer
computed at once within `parts_at_once`: by themselves they launch the kernel for one part after the
other, and a GPU waits for the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from threading import Lock
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.hf.parts import Compute, lengths_of, of_parts, one_by_one
from framesift.registry import require

NAME: Final = "framesift"
"""What the attention function is called among those of transformers."""
OF_PARTS: Final = "framesift-flash"
"""The same one. Towers give functions with `flash` in their name the ends of all parts at once."""
OF_FLASH: Final = ("cu_seq_lens_k", "max_length_q", "max_length_k")
"""What comes with the ends of parts, and says nothing more."""
BEYOND: Final = ("s_aux", "softcap")
"""What some attention modules ask for and `sdpa` leaves out: sinks, and a bound on scores."""


class Listener(Protocol):
    """Takes the queries and keys of attention layers."""

    def note(self, query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> None:
        """Takes one call: `query` `(B, heads, q, Dk)`, `key` `(B, groups, kv, Dk)`, the mask."""


Listeners = Callable[[Any], Iterable[Listener]]
"""Returns the listeners of an attention module."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionCall:
    """One call of an attention module without a mask, for a borrower to answer."""

    module: Any
    query: Tensor
    """`(B, heads, q, Dk)`."""
    key: Tensor
    """`(B, heads, kv, Dk)`."""
    value: Tensor
    """`(B, heads, kv, Dv)`."""
    compute: Compute
    """Returns the attention of queries, keys and values of any such shapes, `(B, q, heads, Dv)`."""
    note: Callable[[Tensor, Tensor], None] | None
    """Gives queries and keys to the module's listeners; None where there are none."""


class Borrower(Protocol):
    """Answers attention with other keys and values than those of the call."""

    def attend(self, call: AttentionCall) -> Tensor:
        """Returns what the module attends to, `(B, q, heads, Dv)`, for the queries of the call."""


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
_borrowing: ContextVar[Borrower | None] = ContextVar("framesift_borrowing", default=None)


@contextmanager
def listening(config: Any, listeners: Listeners) -> Iterator[None]:
    """Calls listeners with what the attention modules of `config` get within the block.

    The modules compute by `sdpa` there, also where `config` names another function; it has its own
    setting back after the last listener.
    """
    token = _listening.set((*_listening.get(), listeners))
    try:
        with _switched_to_ours(config):
            yield
    finally:
        _listening.reset(token)


@contextmanager
def borrowing(config: Any, borrower: Borrower) -> Iterator[None]:
    """Lets `borrower` answer the attention modules of `config` within the block.

    They must pass no mask. Listeners of a module get what the borrower gives them.
    """
    token = _borrowing.set(borrower)
    try:
        with _switched_to_ours(config):
            yield
    finally:
        _borrowing.reset(token)


@contextmanager
def parts_at_once(config: Any, device: torch.device) -> Iterator[None]:
    """Lets a tower that computes by `sdpa` attend to all parts of a row at once within the block.

    Its modules must take `cu_seqlens`. What they give is the same but for rounding. On a CPU, which
    waits for no launches, they compute as they do by themselves.
    """
    if device.type == "cpu" or own_attention(config) != "sdpa":
        yield
        return
    with _switched_to_ours(config, OF_PARTS):
        yield


def own_attention(config: Any) -> str | None:
    """Returns the attention function that `config` names when there are no listeners."""
    with _lock:
        entry = _switched.get(id(config))
        own: str | None = config._attn_implementation if entry is None else entry.before
        return own


@contextmanager
def _switched_to_ours(config: Any, name: str = NAME) -> Iterator[None]:
    _register()
    _switch(config, name)
    try:
        yield
    finally:
        _switch_back(config)


def is_listened_to(config: Any) -> bool:
    """Whether the attention modules of `config` have listeners now."""
    with _lock:
        return id(config) in _switched


def _switch(config: Any, name: str) -> None:
    with _lock:
        entry = _switched.setdefault(id(config), _Switched(config, config._attn_implementation))
        entry.count += 1
        if config._attn_implementation != OF_PARTS:
            config._attn_implementation = name


def _switch_back(config: Any) -> None:
    with _lock:
        entry = _switched[id(config)]
        entry.count -= 1
        if not entry.count:
            del _switched[id(config)]
            config._attn_implementation = entry.before


@cache
def _register() -> None:
    """Registers `sdpa` with transformers under our names, as one that calls the listeners too.

    This is the door that transformers keeps for attention functions: a model whose configuration
    names it computes what it did before, to the bit.
    """
    transformers = require("transformers", extra="hf")
    masks = require("transformers.masking_utils", extra="hf")
    for name in (NAME, OF_PARTS):
        transformers.AttentionInterface.register(name, _attend)
        transformers.AttentionMaskInterface.register(name, masks.sdpa_mask)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layer:
    """An attention module in one call, with who listens to it and who lends it keys."""

    module: Any
    scale: float
    compute: Compute
    heard: list[Listener]
    borrower: Borrower | None

    def note(self, query: Tensor, key: Tensor, mask: Tensor | None = None) -> None:
        for listener in self.heard:
            listener.note(query, key, mask, self.scale)

    def answer(
        self, query: Tensor, key: Tensor, value: Tensor, compute: Compute | None = None
    ) -> Tensor:
        """Returns the attention, of whatever keys, that `compute` or else the layer computes."""
        if self.borrower is None:
            self.note(query, key)
            return (compute or self.compute)(query, key, value)
        return self.borrower.attend(
            AttentionCall(
                module=self.module,
                query=query,
                key=key,
                value=value,
                compute=compute or self.compute,
                note=self.note if self.heard else None,
            )
        )

    def answer_parts(self, ends: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Returns the attention within each part of a row."""
        lengths = lengths_of(ends)
        if len(set(lengths)) == 1:
            return of_parts(lengths, self.answer, query, key, value)
        if self.heard:
            return one_by_one(lengths, self.answer, query, key, value)
        return self.answer(query, key, value, partial(of_parts, lengths, self.compute))


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    if named := [name for name in BEYOND if options.get(name) is not None]:
        raise ModelError(
            f"the attention of {type(module).__name__} has {' and '.join(named)}, which sdpa "
            "has not, so that it cannot be read; use evidence='similarity' with this model"
        )
    sdpa = require("transformers.integrations.sdpa_attention", extra="hf").sdpa_attention_forward
    options = {name: value for name, value in options.items() if name not in OF_FLASH}

    def compute(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        result: Tensor = sdpa(module, query, key, value, mask, scaling=scaling, **options)[0]
        return result

    layer = _Layer(
        module=module,
        scale=query.shape[-1] ** -0.5 if scaling is None else scaling,
        compute=compute,
        heard=[each for listeners in _listening.get() for each in listeners(module)],
        borrower=_borrowing.get(),
    )
    if cu_seq_lens_q is not None:
        return layer.answer_parts(cu_seq_lens_q, query, key, value), None
    if attention_mask is None:
        return layer.answer(query, key, value), None
    if layer.borrower is not None:
        raise ValueError(f"{type(module).__name__} passes a mask, which cannot be borrowed")
    layer.note(query, key, attention_mask)
    return compute(query, key, value, attention_mask), None
