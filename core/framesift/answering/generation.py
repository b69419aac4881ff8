"""Generates an answer by the model's own `generate` over a cache, followed token by token."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated, Any, Final

import torch
from pydantic import Field
from torch import Tensor

from framesift.answering._draw import Draw
from framesift.errors import calling_back, is_of_caller
from framesift.hf.compiling import (
    compile_errors,
    in_own_thread,
    not_compiled,
    note_failure,
    over_fixed,
)
from framesift.hf.fixed_cache import is_fixed
from framesift.registry import require
from framesift.run import report_progress
from framesift.types.answer import FinishReason
from framesift.types.options import Count, Fraction, NotNegative, Options, Seed

OnText = Callable[[str], object]
"""Called with each piece of an answer as soon as it is certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation(Options):
    """How an answer is chosen; greedy by default, so that the same prompt gives the same words."""

    max_new_tokens: Count = 64
    """Most tokens of the answer."""
    temperature: NotNegative = 0.0
    """0 takes the likeliest token; above 0 draws, the higher the more freely."""
    top_p: Fraction | None = None
    """Draw among the likeliest tokens that hold this probability together."""
    top_k: Count | None = None
    """Draw among this many likeliest tokens."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """The answer ends before the first of these strings."""
    seed: Seed | None = None
    """Makes a draw repeatable; torch's own random state is neither read nor moved."""
    compiled: bool = False
    """Compiles the decoding step on CUDA: the first answer takes about half a minute longer, every
    token after that a fraction of its time. The cache is made larger than the prompt at once."""


GREEDY: Final = Generation()
"""The likeliest token each time, at most 64 of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model generated after a prompt."""

    ids: tuple[int, ...]
    """Every generated token, the end mark included."""
    text: str
    """The words, without marks, outer white space and what a stop sequence cuts off."""
    finish_reason: FinishReason
    prefill_seconds: float
    decode_seconds: float
    warnings: tuple[str, ...] = ()
    """Why the decoding step was not compiled to the end, where it was asked for."""


def complete(
    model: Any,
    tokenizer: Any,
    inputs: dict[str, Any],
    generation: Generation,
    *,
    on_text: OnText | None = None,
    cancelled: Event | None = None,
) -> Completion:
    """Returns what the model's `generate` gives after `inputs`, which may hold a filled cache.

    Over a cache of fixed size the decoding step is compiled where the device compiles it.

    Args:
        model: a model of transformers.
        tokenizer: the model's own.
        inputs: arguments of `generate` for one prompt, `input_ids` `(1, L)` among them.
        generation: how tokens are chosen.
        on_text: called with each piece of the text; the pieces together are the text.
        cancelled: ends the answer after the token in work, once it is set.
    """
    listener = _Listener(
        tokenizer=tokenizer,
        ends=end_tokens(model, tokenizer),
        generation=generation,
        prompt_length=inputs["input_ids"].shape[1],
        on_text=on_text or _ignored,
        cancelled=cancelled or Event(),
    )
    report_progress("answer", 0, generation.max_new_tokens, "token")
    start = time.perf_counter()
    warnings = _decode(model, inputs, listener)
    end = time.perf_counter()
    listener.close()
    return Completion(
        ids=tuple(listener.ids),
        text=listener.text,
        finish_reason=listener.finish_reason,
        prefill_seconds=listener.first_seconds - start,
        decode_seconds=end - listener.first_seconds,
        warnings=warnings,
    )


def _decode(model: Any, inputs: dict[str, Any], listener: _Listener) -> tuple[str, ...]:
    """Generates until the listener ends it, and returns why that was not compiled to the end."""
    generation = listener.generation
    cache: Any = inputs.get("past_key_values")
    drawing = []
    if generation.temperature:
        names = ("temperature", "top_k", "top_p", "seed")
        drawing = [Draw(**{name: getattr(generation, name) for name in names})]
    config = settings_of(model, generation, listener.ends)
    options = {"generation_config": config, "logits_processor": drawing}
    if not is_fixed(cache):
        model.generate(**inputs, **options, stopping_criteria=[listener])
        return ()
    columns = cache.columns
    try:
        in_own_thread(
            model,
            lambda here: over_fixed(model, inputs, **options, stopping_criteria=[here(listener)]),
        )
        return ()
    except compile_errors() as error:
        if is_of_caller(error):
            raise
        reason = note_failure(model, error)
    # The answer goes on from its last token, without compiling.
    ids = listener.ids
    cache.cut(len(inputs["input_ids"][0]) + len(ids) - 1 if ids else columns)
    config.update(max_new_tokens=generation.max_new_tokens - len(ids), disable_compile=True)
    with cache.decoding():
        model.generate(**_followed(inputs, ids), **options, stopping_criteria=[listener])
    return (not_compiled(reason),)


def _followed(inputs: dict[str, Any], ids: Sequence[int]) -> dict[str, Any]:
    """Returns inputs of one prompt with tokens that were generated after it, which was read."""
    if not ids:
        return inputs
    new = torch.tensor([ids], dtype=torch.int64, device=inputs["input_ids"].device)
    more = {
        "input_ids": new,
        "attention_mask": torch.ones_like(new),
        "position_ids": inputs["position_ids"][..., -1:] + 1 + torch.arange(len(ids)).to(new),
    }
    longer = {name: torch.cat([inputs[name], more[name]], -1) for name in more}
    return longer | {"past_key_values": inputs["past_key_values"]}


@dataclass(slots=True, kw_only=True, eq=False)
class _Listener:
    """A stopping criterion of `generate`: reads each token, passes text on, knows the end."""

    tokenizer: Any
    ends: tuple[int, ...]
    generation: Generation
    prompt_length: int
    on_text: OnText
    cancelled: Event
    ids: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: FinishReason = "length"
    first_seconds: float = 0.0
    _ended: bool = False

    def __call__(self, input_ids: Tensor, scores: object, **_: object) -> Tensor:
        # On some devices `generate` takes one more step before it follows what this call returned.
        if not self._ended:
            self.ids = input_ids[0, self.prompt_length :].tolist()
            self.first_seconds = self.first_seconds or time.perf_counter()
            self._read()
            report_progress("answer", len(self.ids), self.generation.max_new_tokens, "token")
        return torch.full((len(input_ids),), self._ended, device=input_ids.device)

    def close(self) -> None:
        """Passes on text that was held back as a possible start of a stop string or a letter."""
        self._pass_on(self._cut(self._decoded()).strip())

    def _read(self) -> None:
        text = self._decoded()
        if self.ids[-1] in self.ends:
            self._ended, self.finish_reason = True, "stop"
        elif self.cancelled.is_set():
            self._ended, self.finish_reason = True, "cancelled"
        elif self._cut(text) != text:
            self._ended, self.finish_reason = True, "stop_sequence"
        else:
            self._pass_on(_certain(text, self.generation.stop).lstrip())

    def _decoded(self) -> str:
        words = [token for token in self.ids if token not in self.ends]
        text: str = self.tokenizer.decode(
            words, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _cut(self, text: str) -> str:
        stops = [place for stop in self.generation.stop if (place := text.find(stop)) >= 0]
        return text[: min(stops, default=len(text))]

    def _pass_on(self, text: str) -> None:
        if len(text) > len(self.text):
            piece, self.text = text[len(self.text) :], text
            with calling_back():
                self.on_text(piece)


def settings_of(model: Any, generation: Generation, ends: Sequence[int]) -> Any:
    """Returns the settings of `generate`; what is not set here is the model's own.

    Args:
        model: of transformers.
        generation: how tokens are chosen.
        ends: tokens that end an answer; none where it is as long as it may be.
    """
    build = require("transformers", extra="hf").GenerationConfig
    padding = model.generation_config.pad_token_id
    return build(
        max_new_tokens=generation.max_new_tokens,
        do_sample=False,
        temperature=1.0,
        top_p=1.0,
        top_k=50,
        num_beams=1,
        num_return_sequences=1,
        use_cache=True,
        return_dict_in_generate=False,
        eos_token_id=list(ends) or None,
        pad_token_id=ends[0] if padding is None and ends else padding,
    )


def end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Returns the tokens that end an answer; none where neither model nor tokenizer names one."""
    given = model.generation_config.eos_token_id
    given = tokenizer.eos_token_id if given is None else given
    if given is None:
        return ()
    return (given,) if isinstance(given, int) else tuple(given)


def _certain(text: str, stops: Sequence[str]) -> str:
    """Returns the part of a text that no further token can change or cut off."""
    sure = len(text.rstrip().rstrip("\N{REPLACEMENT CHARACTER}").rstrip())
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:length]):
                sure = min(sure, len(text) - length)
                break
    return text[:sure]


def _ignored(piece: str) -> None:
    pass
