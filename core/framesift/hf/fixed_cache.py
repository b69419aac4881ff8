"""A KV cache whose tensors keep their place and size, so that the decoding step can be compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, finalize, ref

import torch

from framesift.errors import ModelError
from framesift.registry import require

if TYPE_CHECKING:
    from typing import Any as Cache
    from typing import Any as StaticLayer
else:  # their real bases come with transformers, in `_kinds`
    Cache = StaticLayer = object

LEAST_COLUMNS: Final = 1024
"""Columns of the smallest cache; larger ones are twice as large each, up to `STEP_COLUMNS`."""
STEP_COLUMNS: Final = 8192
"""From here on a cache grows by this many columns, so that no more than these stay unused."""

_guard: Final = RLock()
"""One thread may enter it twice: what is collected as garbage meanwhile gives its cache back."""
_idle: Final[WeakKeyDictionary[Any, list[Any]]] = WeakKeyDictionary()


def capacity_of(columns: int) -> int:
    """Returns how many columns a cache has that must hold `columns`.

    Each size is compiled once, so there are few: 1,024, 2,048, 4,096, 8,192, 16,384, 24,576, ...
    """
    if columns > STEP_COLUMNS:
        return -(-columns // STEP_COLUMNS) * STEP_COLUMNS
    return max(LEAST_COLUMNS, 1 << (columns - 1).bit_length())


def is_fixed(cache: Any) -> bool:
    """Whether a cache is one of this module."""
    return bool(getattr(cache, "is_fixed", False))


def new_cache(model: Any, columns: int) -> Any:
    """Returns an empty cache for a model of transformers, with room for at least `columns`."""
    return _kinds()[0](model, capacity_of(columns))


def lent_cache(model: Any, columns: int, owner: object) -> Any:
    """Returns an empty cache for one prompt at a time, which `owner` has for its lifetime.

    A model's caches outlive their owners, since a graph that was recorded on a GPU reads and writes
    the tensors it was recorded with; the next owner gets the same ones.
    """
    with _guard:
        idle = _idle.setdefault(model, [])
        lent = idle.pop() if idle else None
    if lent is None:
        lent = new_cache(model, columns)
    finalize(owner, _give_back, ref(model), lent)
    return lent


def _give_back(model: ref[Any], lent: Any) -> None:
    with _guard:
        if (alive := model()) is not None:
            _idle.setdefault(alive, []).append(lent)


def growing_cache(cache: Any) -> Any:
    """Returns a `DynamicCache` that holds a copy of what a cache of this module holds."""
    grown = require("transformers", extra="hf").DynamicCache()
    for index, layer in enumerate(cache.layers):
        if layer.columns:
            grown.update(*layer.held(), index)
    return grown


@cache
def _kinds() -> tuple[Any, Any]:
    """Returns the classes of cache and layer, with their bases in transformers."""
    of = require("transformers.cache_utils", extra="hf")
    return (
        type("FixedCache", (_FixedCache, of.Cache), {}),
        type("FixedLayer", (_FixedLayer, of.StaticLayer), {}),
    )


class _FixedLayer(StaticLayer):  # type: ignore[misc]
    """A layer that attends to what it holds, and to its whole width in a decoding step.

    Only the step of one token is compiled, which needs one shape and a length that is a tensor.
    A chunk of several tokens runs over the filled columns, as over a cache that grows.
    """

    decoding = False
    columns = 0
    """Columns that were held before decoding began."""

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        # A tensor made in inference mode could not be written to outside of it.
        with torch.inference_mode(False):
            super().lazy_initialization(key_states, value_states)

    def update(self, key_states: Any, value_states: Any, *args: Any, **options: Any) -> Any:
        count = key_states.shape[-2]
        if not torch.compiler.is_compiling():
            self._fit(key_states, value_states)
        if self.decoding and count == 1:
            return super().update(key_states, value_states, *args, **options)
        if self.columns + count > self.max_cache_len:
            raise ModelError(
                f"the cache has room for {self.max_cache_len} columns, and {count} more than "
                f"its {self.columns} came"
            )
        super().update(key_states, value_states, *args, **options)
        self.columns += count
        return self.held()

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        if self.decoding and query_length == 1:
            return self.max_cache_len, 0
        return self.columns + query_length, 0

    def get_seq_length(self) -> Any:
        return super().get_seq_length() if self.decoding else self.columns

    def held(self) -> tuple[Any, Any]:
        """Returns keys and values `(B, groups, columns, D)` of the columns that are held."""
        return self.keys[:, :, : self.columns], self.values[:, :, : self.columns]

    def cut(self, columns: int) -> None:
        self.columns = columns
        if self.is_initialized:
            self.cumulative_length.fill_(columns)

    def crop(self, tokens_to_remove: int) -> None:
        self.cut(self.columns + tokens_to_remove)

    def reset(self) -> None:
        super().reset()
        self.columns = 0

    def take(self, layer: Any) -> None:
        """Holds what a layer that grows holds."""
        self._fit(layer.keys, layer.values)
        self.cut(layer.keys.shape[-2])
        for own, taken in zip(self.held(), (layer.keys, layer.values), strict=True):
            own.copy_(taken)

    def _fit(self, keys: Any, values: Any) -> None:
        """Has tensors of the device and dtype of what comes: a model may have been moved since."""
        there = self.is_initialized and (self.keys.device, self.keys.dtype)
        if there != (keys.device, keys.dtype):
            self._made_anew(keys, values)

    def _made_anew(self, keys: Any, values: Any) -> None:
        """Has new tensors like `keys` and `values`, with the columns that are held."""
        held = self.held() if self.is_initialized else ()
        self.lazy_initialization(keys, values)
        for own, before in zip(self.held(), held, strict=False):
            own.copy_(before)

    def grow(self, capacity: int) -> None:
        self.max_cache_len = capacity
        if self.is_initialized:
            self._made_anew(self.keys, self.values)


class _FixedCache(Cache):  # type: ignore[misc]
    """The layers of one model, as `generate` takes them."""

    is_fixed = True

    def __init__(self, model: Any, capacity: int) -> None:
        llm = model.config.get_text_config(decoder=True)
        # In some models the last layers take keys and values of earlier ones, and hold none.
        count = llm.num_hidden_layers - (getattr(llm, "num_kv_shared_layers", None) or 0)
        super().__init__(layers=[_kinds()[1](max_cache_len=capacity) for _ in range(count)])

    @property
    def capacity(self) -> int:
        columns: int = self.layers[0].max_cache_len
        return columns

    @property
    def columns(self) -> int:
        """Columns that every layer holds."""
        return int(min(layer.columns for layer in self.layers))

    def cut(self, columns: int) -> None:
        """Leaves the first columns."""
        for layer in self.layers:
            layer.cut(columns)

    def take(self, cache: Any, columns: int) -> Any:
        """Returns itself, with room for `columns` and what a `DynamicCache` held, now empty."""
        self.reset()
        self.grow(columns)
        for layer in self.layers if cache is not None and cache.layers else ():
            # Layer by layer, so that no more than one is held twice.
            layer.take(cache.layers.pop(0))
        return self

    def grow(self, columns: int) -> None:
        """Makes room for `columns`; a cache never shrinks."""
        if (capacity := capacity_of(columns)) > self.capacity:
            for layer in self.layers:
                layer.grow(capacity)

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Within the block `generate` may run; afterwards each layer knows what it holds."""
        for layer in self.layers:
            layer.decoding = True
        try:
            yield
        finally:
            # A break may leave some layers ahead of others.
            for layer in self.layers:
                layer.decoding, layer.columns = False, int(layer.cumulative_length)
