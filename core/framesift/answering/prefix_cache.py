"""The LLM's KV cache between questions, with a record of which columns it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from framesift.answering.shown_columns import shown_by
from framesift.errors import ModelError
from framesift.hf.answer_attention import answer_attention
from framesift.hf.attention import is_listened_to
from framesift.hf.fixed_cache import growing_cache, is_fixed, lent_cache
from framesift.hf.growing_cache import Places, cache_bytes, empty_cache, sees_filling, state_layers
from framesift.vlms.prompt import Prompt, collate


class PrefixCache:
    """Keys and values of the columns that prompts share, so that each column is read once.

    Columns are shared where token, position and what a visual token shows agree. Sliding-window
    layers keep all columns too, so that every layer can be cut back. Layers with a state go back to
    a copy of it: behind the videos, before the last column of a prompt, or behind an answer. The
    cache grows with the prompt, or has room for it and its answer from the start, as a compiled
    decoding step needs it.
    """

    def __init__(self) -> None:
        self._cache: Any = None
        self._fixed: Any = None
        """The model's cache of fixed size, once it was needed, also while another one is in use."""
        self._places = Places()
        self._held = torch.zeros(0, 0, dtype=torch.int64)
        """What says which columns are held, `(K, L)`: see `_columns_of`."""
        self._asked: tuple[Prompt, Tensor] | None = None
        """The prompt that is being answered with its own, which hashes all of its features."""

    @property
    def nbytes(self) -> int:
        """Bytes of the keys, values and states, the room for columns to come included."""
        return cache_bytes(self._cache) + self._places.nbytes

    def prefill_videos(self, model: Any, prompt: Prompt) -> None:
        """Starts afresh with the columns of a prompt up to the end of its last video."""
        self._empty(model, prompt.prefix_length)
        cache, self._cache = self._cache, None
        _read(model, prompt, cache, range(prompt.prefix_length))
        self._cache = cache
        self._hold(prompt, prompt.prefix_length)
        self._asked = None

    def prepare(
        self, model: Any, prompt: Prompt, *, room: int | None = None
    ) -> tuple[dict[str, Any], int]:
        """Returns the arguments of `generate` for a prompt, and how many columns are held already.

        What the cache holds besides these columns is cut off. Where videos are not held as they
        stand in this prompt, nothing is, and `generate` reads the whole prompt at once.

        Args:
            model: of transformers.
            prompt: of that model.
            room: columns of prompt and answer, for a cache of fixed size, which layers with a state
                do not have; None for one that grows.
        """
        stateful = bool(state_layers(model))
        room = None if stateful else room
        cached = min(self._shared(prompt), len(prompt.input_ids) - 1)
        cached = self._places.nearest(self._cache, cached)
        inputs = _columns(prompt.inputs())
        if not cached or bool(prompt.visual[cached:].any()):
            self._empty(model, room or 0)
            inputs |= _pictures(prompt.inputs())
            cached = 0
        else:
            self._crop(cached)
        self._fit(model, room)
        if stateful:
            self._read_ahead(model, prompt, cached)
            inputs.pop("mm_encoder_outputs", None)
        return {**inputs, "past_key_values": self._cache}, cached

    def note(self, prompt: Prompt, ids: Sequence[int]) -> None:
        """Records that a prompt and the tokens generated after it went through the LLM."""
        last, self._asked = self._says(prompt), None
        new = last[:, -1:].repeat(1, len(ids))
        new[0] = torch.tensor(ids, dtype=torch.int64, device=new.device)
        new[1] = 0
        new[2:] += torch.arange(1, len(ids) + 1, device=new.device)
        self._held = torch.cat([last, new], dim=1)[:, : self._cache.get_seq_length()]
        self._places.note(self._cache)

    def answer_attention(self, model: Any, prompt: Prompt, answer_tokens: int) -> Tensor:
        """Returns what the answer that was generated last attends to, float32 `(L,)`."""
        length, stop = len(prompt.input_ids), len(prompt.input_ids) + answer_tokens - 1
        held = self._held[:, :stop]
        ids, positions = held[0], held[2:].reshape(*prompt.position_ids.shape[:-1], stop)
        self._crop(length - 1)
        given = {
            "input_ids": ids[None],
            "attention_mask": torch.ones_like(ids[None]),
            "position_ids": positions[..., None, :],
        }
        rows = {
            name: value if name == "attention_mask" else value[..., length - 1 :]
            for name, value in given.items()
        }
        weights = answer_attention(model, {**rows, "past_key_values": self._cache}, length)
        self._held = held
        self._places.note(self._cache)
        return weights

    def _says(self, prompt: Prompt) -> Tensor:
        """Returns what says which columns a prompt has, made once until it is answered."""
        if self._asked is None or self._asked[0] is not prompt:
            self._asked = prompt, _columns_of(prompt)
        return self._asked[1]

    def _shared(self, prompt: Prompt) -> int:
        length = min(self._held.shape[1], len(prompt.input_ids))
        if not length:
            return 0
        same = (self._held[:, :length] == self._says(prompt)[:, :length]).all(0)
        return int(same.long().cumprod(0).sum())

    def _empty(self, model: Any, room: int) -> None:
        """Holds nothing, in the tensors of before where they may be used again."""
        self._held = self._held[:, :0]
        self._places.clear()
        if is_fixed(self._cache) and not is_listened_to(model.get_decoder().config):
            self._cache.reset()
            self._cache.grow(room)
        else:
            self._cache = empty_cache(model)

    def _read_ahead(self, model: Any, prompt: Prompt, cached: int) -> None:
        """Reads all columns but the last, so that the cache can be cut back to where it stops."""
        last = len(prompt.input_ids) - 1
        for stop in (min(prompt.prefix_length, last), last):
            if stop > cached:
                _read(model, prompt, self._cache, range(cached, stop))
                self._hold(prompt, stop)
                cached = stop

    def _hold(self, prompt: Prompt, columns: int) -> None:
        """Records that the first columns of a prompt have been read."""
        self._held = self._says(prompt)[:, :columns]
        self._places.note(self._cache)

    def _fit(self, model: Any, room: int | None) -> None:
        """Has the columns in a cache of the kind that `prepare` was asked for."""
        if room is None and is_fixed(self._cache):
            self._cache = growing_cache(self._cache)
        elif room is None and self._cache is None:
            self._cache = empty_cache(model)
        elif room is not None and is_fixed(self._cache):
            self._cache.grow(room)
        elif room is not None:
            self._fixed = self._fixed or lent_cache(model, room, owner=self)
            self._cache = self._fixed.take(self._cache, room)

    def _crop(self, columns: int) -> None:
        """Leaves the first columns."""
        self._held = self._held[:, :columns]
        self._places.cut(self._cache, columns)


def read_once(model: Any, prompts: Sequence[Prompt], pad_token_id: int) -> dict[str, Any]:
    """Returns the arguments of `generate` for prompts with the same videos, read once for all.

    What fills up shorter prompts stands between the videos and the question. A state would see it
    there, and a short window would count it, so for layers with one of these the prompts are whole,
    and each reads its videos.

    Args:
        model: a model of transformers.
        prompts: prompts of that model; they begin with the same columns.
        pad_token_id: what fills the columns that the attention mask leaves out.
    """
    first, length = prompts[0], max(len(prompt.input_ids) for prompt in prompts)
    if sees_filling(model, length):
        return collate(prompts, pad_token_id)
    prefix = first.prefix_length
    ids, masks, positions = [], [], []
    for prompt in prompts:
        if not torch.equal(prompt.input_ids[:prefix], first.input_ids[:prefix]):
            raise ModelError("the prompts of a batch that is read once begin with other columns")
        fill = length - len(prompt.input_ids)
        ids.append(_widened(prompt.input_ids, prefix, fill, pad_token_id))
        masks.append(_widened(torch.ones_like(prompt.input_ids), prefix, fill, 0))
        positions.append(_widened(prompt.position_ids, prefix, fill, 0))
    cache = empty_cache(model)
    _read(model, first, cache, range(prefix))
    cache.batch_repeat_interleave(len(prompts))
    return {
        "input_ids": torch.stack(ids),
        "attention_mask": torch.stack(masks),
        "position_ids": torch.stack(positions, dim=-2),
        "past_key_values": cache,
    }


def _columns_of(prompt: Prompt) -> Tensor:
    """Returns token, what a visual token shows, and position(s) of each column, `(K, L)`."""
    positions = prompt.position_ids.reshape(-1, len(prompt.input_ids))
    return torch.cat([prompt.input_ids[None], shown_by(prompt)[None], positions])


def _widened(columns: Tensor, prefix: int, fill: int, value: int) -> Tensor:
    padded = torch.nn.functional.pad(columns[..., prefix:], (fill, 0), value=value)
    return torch.cat([columns[..., :prefix], padded], dim=-1)


def _read(model: Any, prompt: Prompt, cache: Any, columns: range) -> None:
    """Adds columns of a prompt to a cache that holds those before them, videos with the first."""
    given = prompt.inputs()
    inputs = _columns(given, start=columns.start, stop=columns.stop)
    inputs |= {} if columns.start else _pictures(given)
    with torch.no_grad():
        model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)


def _columns(inputs: dict[str, Any], *, start: int = 0, stop: int | None = None) -> dict[str, Any]:
    """Returns the arguments of some columns; the mask is that of all before them too."""
    return {
        name: value[..., :stop] if name == "attention_mask" else value[..., start:stop]
        for name, value in inputs.items()
        if name != "mm_encoder_outputs"
    }


def _pictures(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: inputs[key] for key in ("mm_encoder_outputs",) if key in inputs}
