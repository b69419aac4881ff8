"""Drops visual tokens between two layers of a running LLM: what `VLM.in_llm` opens.

What a token is worth to a question shows in the LLM's own attention, a few layers in. The door
reads one row of it, that of the prompt's last token, beside the fast attention, lets a strategy
choose, and gathers what the layers behind take: hidden states, rotary positions and masks, by
forward hooks that are gone afterwards. Layers before the door keep all tokens in their cache, the
ones behind it only those that stay, each at its original position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.attention import listening, own_attention
from framesift.hf.growing_cache import state_layers
from framesift.hf.model_use import alone_with
from framesift.strategies import registry as strategies
from framesift.strategies.base import Strategy, create_strategy
from framesift.types.budget import Budget
from framesift.types.tokens import Signals, VideoTokens
from framesift.vlms._layer_door import Choose, Door, LayerView

INSIDE: Final = "inside the LLM"

_open: ContextVar[tuple[Door, ...]] = ContextVar("framesift_doors", default=())
"""The doors that stand open for this context: other threads do not go through them."""


def chosen_by(rule: str | Strategy | Choose) -> Choose:
    """Returns the function that chooses as a strategy does, or the one that was given.

    The strategy sees one frame of `V` tokens: hidden states, with their attention as the signal
    `llm_attention`.

    Raises:
        UnknownNameError: no such strategy.
        InvalidOptionError: the strategy is not for tokens inside the LLM.
    """
    if not isinstance(rule, str | Strategy):
        return rule
    strategy = create_strategy(rule)
    if strategy.applies_to != INSIDE:
        fit = [n for n in strategies.names() if strategies.get(n).applies_to == INSIDE]
        raise InvalidOptionError(
            f"strategy {strategy.spec!r} works on {strategy.applies_to}, where frames are known; "
            f"in_llm takes: {', '.join(fit)}"
        )

    def choose(view: LayerView, count: int) -> Tensor:
        tokens = VideoTokens(
            features=view.hidden[None],
            grid=(1, len(view.hidden)),
            pts_seconds=torch.zeros(1, dtype=torch.float64),
            signals=Signals(llm_attention=view.scores[None]),
        )
        return strategy.plan(tokens, count).src.to(view.scores.device)

    return choose


@contextmanager
def open_door(
    model: Any,
    *,
    layer: int,
    budget: Budget,
    choose: Choose,
    placeholders: Mapping[str, int],
    added: Tensor,
) -> Iterator[Door]:
    """Opens the door that lets only some visual tokens into decoder layer `layer` of `model`.

    It stands open for this context alone: what other threads run on the model is whole. The other
    arguments are fields of the door.

    Raises:
        InvalidOptionError: the LLM has no such layer, or none before it.
        ModelError: layers of the LLM carry a state, it does not compute its attention by `sdpa`
            over the whole prompt, or another door is open here.
    """
    llm = model.get_decoder()
    _check(model, llm, layer)
    door = Door(
        layers=llm.layers,
        layer=layer,
        budget=budget,
        choose=choose,
        placeholders=placeholders,
        added=added,
    )
    watched = llm.layers[layer - 1].self_attn

    def listeners(module: Any) -> list[Door]:
        return [door] if module is watched else []

    with ExitStack() as stack:
        stack.callback(setattr, door, "cache", None)
        stack.callback(_open.reset, _open.set((*_open.get(), door)))
        # Hooks and setting change between the passes of others, never within one.
        with alone_with(model):
            stack.enter_context(_hooked(model, door))
            stack.enter_context(listening(llm.config, listeners))
        try:
            yield door
        finally:
            with alone_with(model, whatever_happens=True):
                stack.close()


@contextmanager
def _hooked(model: Any, door: Door) -> Iterator[None]:
    """Has the door called before the model and before each layer behind it, in its own context."""

    def within(hook: Callable[..., Any]) -> Callable[..., Any]:
        def call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return hook(module, args, kwargs) if door in _open.get() else None

        return call

    with ExitStack() as stack:
        arrive = model.base_model.register_forward_pre_hook(within(door.arrive), with_kwargs=True)
        stack.callback(arrive.remove)
        for index in range(door.layer, len(door.layers)):
            narrow = within(partial(door.narrow, first=index == door.layer))
            hook = door.layers[index].register_forward_pre_hook(narrow, with_kwargs=True)
            stack.callback(hook.remove)
        yield


def _check(model: Any, llm: Any, layer: int) -> None:
    if count := state_layers(model):
        raise ModelError(
            f"{count} layers of the LLM carry a state over all columns, and would read others than "
            "the layers before them; in_llm needs an LLM that attends in every layer; compress "
            "before it"
        )
    deep = len(getattr(model.config.vision_config, "deepstack_visual_indexes", ()))
    least, count = max(1, deep), len(llm.layers)
    if not least <= layer < count:
        raise InvalidOptionError(
            f"layer={layer!r} must be from {least} to {count - 1}: the LLM has {count} layers, and "
            f"{deep} of them take visual features of their own; choose a layer behind those"
        )
    places = {str(place) for place in (getattr(model, "hf_device_map", None) or {}).values()}
    if len(places) > 1:
        raise ModelError(
            f"the LLM lies on {len(places)} devices, and in_llm needs it on one; load it with "
            "device='cuda', or compress before it"
        )
    config = llm.config
    kind, layers = own_attention(config), getattr(config, "layer_types", None) or ()
    if any(door.layers is llm.layers for door in _open.get()):
        raise ModelError("in_llm is open on this model already; leave it before opening another")
    if kind != "sdpa" or set(layers) - {"full_attention"}:
        raise ModelError(
            f"the LLM computes attention by {kind!r} with layers {sorted(set(layers))}; in_llm "
            "needs 'sdpa' over the whole prompt; load it with attention='sdpa', or compress "
            "before it"
        )
