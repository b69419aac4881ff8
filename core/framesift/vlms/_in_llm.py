"""The door into the LLM: drops visual tokens between two of its layers, while it runs as ever.

What a token is worth to a question shows in the LLM's own attention, a few layers in. The door
reads one row of it, that of the prompt's last token, beside the fast attention, lets a strategy
choose, and gathers what the layers behind take: hidden states, rotary positions and masks, by
forward hooks that are gone afterwards. Layers before the door keep all tokens in their cache, the
ones behind it only those that stay, each at its original position.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError, ModelError
from framesift.registry import require
from framesift.types.budget import Budget
from framesift.vlms._layer_door import Choose, Door, LayerView

NAME: Final = "framesift_in_llm"
"""What the attention function is called among those of transformers."""

_doors: Final[WeakKeyDictionary[Any, Door]] = WeakKeyDictionary()
"""The open door of each attention module that is read."""


def top_attention(view: LayerView, count: int) -> Tensor:
    """Returns the `count` tokens of highest attention, the earlier one on ties: FastV's rule."""
    return torch.argsort(view.scores, descending=True, stable=True)[:count]


@contextmanager
def open_door(
    model: Any, placeholders: list[int], *, layer: int, budget: Budget, choose: Choose
) -> Iterator[Door]:
    """Gives the door that lets only some visual tokens into decoder layer `layer` of `model`.

    Raises:
        InvalidOptionError: the LLM has no such layer, or none before it.
        ModelError: the LLM does not compute its attention by `sdpa` over the whole prompt, or
            another door is open.
    """
    llm = model.get_decoder()
    _check(model, llm, layer)
    door = Door(
        layers=llm.layers,
        layer=layer,
        budget=budget,
        choose=choose,
        placeholders=torch.tensor(placeholders),
    )
    _register()
    with ExitStack() as stack:
        stack.callback(setattr, door, "cache", None)
        hook = model.base_model.register_forward_pre_hook(door.arrive, with_kwargs=True)
        stack.callback(hook.remove)
        for index in range(layer, len(llm.layers)):
            narrow = partial(door.narrow, first=index == layer)
            hook = llm.layers[index].register_forward_pre_hook(narrow, with_kwargs=True)
            stack.callback(hook.remove)
        before, llm.config._attn_implementation = llm.config._attn_implementation, NAME
        stack.callback(setattr, llm.config, "_attn_implementation", before)
        watched = llm.layers[layer - 1].self_attn
        _doors[watched] = door
        stack.callback(_doors.pop, watched)
        yield door


def _check(model: Any, llm: Any, layer: int) -> None:
    deep = len(getattr(model.config.vision_config, "deepstack_visual_indexes", ()))
    least, count = max(1, deep), len(llm.layers)
    if not least <= layer < count:
        raise InvalidOptionError(
            f"layer={layer!r} must be from {least} to {count - 1}: the LLM has {count} layers, and "
            f"{deep} of them take visual features of their own; choose a layer behind those"
        )
    config = llm.config
    kind, layers = config._attn_implementation, getattr(config, "layer_types", None) or ()
    if kind == NAME:
        raise ModelError("in_llm is open on this model already; leave it before opening another")
    if kind != "sdpa" or set(layers) - {"full_attention"}:
        raise ModelError(
            f"the LLM computes attention by {kind!r} with layers {sorted(set(layers))}; in_llm "
            "needs 'sdpa' over the whole prompt; load the model with it, or compress before it"
        )


@cache
def _register() -> None:
    """Makes the attention known to transformers, with the masks that `sdpa` takes."""
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
        if module in _doors:
            scale = query.shape[-1] ** -0.5 if scaling is None else scaling
            _doors[module].note(query, key, attention_mask, scale)
        result: tuple[Tensor, None] = sdpa(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return result

    transformers.AttentionInterface.register(NAME, attend)
    transformers.AttentionMaskInterface.register(NAME, masks.sdpa_mask)
