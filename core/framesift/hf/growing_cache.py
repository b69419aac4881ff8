"""A KV cache that grows with its columns, and how it is cut back to fewer of them.

Keys and values of columns can be dropped one by one. Layers of linear attention fold all columns
into one state, from which none can be taken out again: they go back to a copy of the state that was
made where the columns ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from torch import Tensor

from framesift.errors import ModelError
from framesift.registry import require

STATES: Final = frozenset({"linear_attention", "conv"})
"""Kinds of layers that hold a state instead of columns."""
BOTH: Final = frozenset({"hybrid", "hybrid_sliding"})
"""Kinds of layers that hold a state and columns."""
GOING_ON: Final = frozenset(
    {"qwen3_5_text", "qwen3_5_moe_text", "qwen3_next", "lfm2", "lfm2_moe", "granitemoehybrid"}
)
"""LLMs whose layers go on from a state over several columns at once; others read them as if they
were the first, or hold their state elsewhere."""
MOST_COPIES: Final = 3
"""Copies of the states that are held: where the first was made, and the last two."""


def state_layers(model: Any) -> int:
    """Returns how many layers of an LLM hold a state instead of columns."""
    return sum(kind in STATES for kind in _kinds(model))


def sees_filling(model: Any, columns: int) -> bool:
    """Returns whether columns amid a prompt of so many change an LLM although they are masked.

    A state takes them in, and a window of fewer columns counts them.
    """
    llm = model.config.get_text_config(decoder=True)
    kinds, window = getattr(llm, "layer_types", None) or (), getattr(llm, "sliding_window", 0) or 0
    sliding = any(kind.startswith("sliding") for kind in kinds)
    return bool(state_layers(model)) or (sliding and 0 < window < columns)


def empty_cache(model: Any) -> Any:
    """Returns an empty cache of transformers for a model; all columns stay in it.

    Raises:
        ModelError: it has layers that could not be cut back.
    """
    kinds = set(_kinds(model))
    stateful = bool(kinds & STATES)
    llm = model.config.get_text_config(decoder=True).model_type
    if stateful and llm not in GOING_ON:
        raise ModelError(
            f"the LLM is of type {llm!r}, whose state cannot be taken up again behind a video; ask "
            "by vlm.hf.generate(**vlm.prompt(...).inputs()), which reads all of the prompt at once"
        )
    if firm := kinds & BOTH or (stateful and kinds - STATES - {"full_attention"}):
        raise ModelError(
            f"the LLM has layers of the kind {', '.join(sorted(firm))} that cannot be cut back to "
            "the end of a video; ask by vlm.hf.generate(**vlm.prompt(...).inputs()), which reads "
            "all of the prompt each time"
        )
    build = require("transformers", extra="hf").DynamicCache
    # By the configuration, layers of a sliding window would forget columns.
    return build(config=model.config) if stateful else build()


def cache_bytes(cache: Any) -> int:
    """Returns the bytes of the keys, values and states that a cache holds, None among them."""
    layers = [] if cache is None else cache.layers
    made = [layer for layer in layers if _has_columns(layer) and layer.is_initialized]
    columns: int = sum(layer.keys.nbytes + layer.values.nbytes for layer in made)
    return columns + sum(state.nbytes for state in _states(cache) if state is not None)


@dataclass(slots=True, eq=False)
class Places:
    """The numbers of columns to which a growing cache can be cut back."""

    _copies: dict[int, list[Tensor | None]] = field(default_factory=dict)
    """States of all layers by the columns behind which they stand, ascending."""

    @property
    def nbytes(self) -> int:
        """Bytes of the copies."""
        return sum(
            state.nbytes
            for states in self._copies.values()
            for state in states
            if state is not None
        )

    def clear(self) -> None:
        """Forgets all places, as for an empty cache."""
        self._copies.clear()

    def note(self, cache: Any) -> None:
        """Makes sure that the cache can be cut back to the columns that it holds now."""
        if not any(not _has_columns(layer) for layer in cache.layers):
            return
        copies = [None if state is None else state.clone() for state in _states(cache)]
        self._copies[cache.get_seq_length()] = copies
        while len(self._copies) > MOST_COPIES:
            del self._copies[sorted(self._copies)[1]]

    def nearest(self, cache: Any, columns: int) -> int:
        """Returns the most columns, at most `columns`, to which the cache can be cut back."""
        if cache is None or all(_has_columns(layer) for layer in cache.layers):
            return columns
        return max((place for place in self._copies if place <= columns), default=0)

    def cut(self, cache: Any, columns: int) -> None:
        """Leaves the first columns, a number that `nearest` has given, above 0.

        Each layer is cut by itself, since a break may leave some ahead.

        Raises:
            ModelError: a layer holds fewer.
        """
        for layer in filter(_has_columns, cache.layers):
            if (beyond := layer.get_seq_length() - columns) > 0:
                layer.crop(-beyond)
            elif beyond < 0:
                raise ModelError(
                    f"a layer of the LLM holds {columns + beyond} of the {columns} columns that "
                    "were read; open the video outside of in_llm to ask more than once"
                )
        self._copies = {at: states for at, states in self._copies.items() if at <= columns}
        if states := _states(cache):
            for state, copy in zip(states, self._copies[columns], strict=True):
                if state is not None and copy is not None:
                    state.copy_(copy)


def _has_columns(layer: Any) -> bool:
    return hasattr(layer, "get_seq_length")


def _states(cache: Any) -> list[Tensor | None]:
    """Returns the states of all layers that hold one, each None before it is made."""
    layers = [] if cache is None else cache.layers
    return [
        state
        for layer in layers
        if not _has_columns(layer)
        for states in (layer.conv_states, layer.recurrent_states)
        for state in states.values()
    ]


def _kinds(model: Any) -> Sequence[str]:
    """Returns the kind of each layer of an LLM, none where its configuration does not say."""
    return getattr(model.config.get_text_config(decoder=True), "layer_types", None) or ()
