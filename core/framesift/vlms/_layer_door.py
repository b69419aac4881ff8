"""The hooks of `in_llm`: which columns pass between two layers, with their positions and masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from framesift.errors import ModelError, calling_back
from framesift.types.budget import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerView:
    """The visual tokens of one prompt as they arrive at the layer that drops."""

    scores: Tensor
    """Attention `(V,)` of the prompt's last token in the layer before, float32, mean of heads."""
    hidden: Tensor
    """Hidden states `(V, D)` that enter the layer."""
    columns: Tensor
    """Columns `(V,)` of the tokens in the prompt, padding included, int64, ascending."""


Choose = Callable[[LayerView, int], Tensor]
"""Takes what arrives at a layer and a count; returns that many distinct int64 indices into `V`."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Read:
    """The batch of prompts that went through the door last."""

    visual: Tensor
    """Columns of visual tokens, bool `(B, L)`."""
    live: Tensor
    """Columns that are not padding, bool `(B, L)`."""
    scores: Tensor | None = None
    columns: Tensor | None = None
    """Columns that stay, int64 `(B, S)`, ascending."""
    real: Tensor | None = None
    """Which of them are attended to, bool `(B, S)`; the others fill shorter rows up."""


@dataclass(slots=True, kw_only=True, eq=False)
class Door:
    """What an open door reads and keeps; every prompt with an empty cache starts it afresh."""

    layers: Any
    """The decoder layers of the LLM, a `ModuleList`."""
    layer: int
    """The first layer that takes fewer tokens."""
    budget: Budget
    choose: Choose
    placeholders: Mapping[str, int]
    """Token id that stands for visual tokens, by the name under which the model takes them."""
    added: Tensor
    """Visual tokens `(E, D)` that belong to no frame, such as a newline; they always stay."""
    cache: Any = None
    """The cache that the LLM fills, with shorter layers from `layer` on; None once closed."""
    kept: list[Tensor] = field(default_factory=list)
    """Columns of the visual tokens that stayed, int64, of each prompt of the last batch."""
    _read: _Read | None = None
    _filling: bool = False
    _total: int = 0
    _shared: dict[str, Any] = field(default_factory=dict)
    """Arguments that all layers behind the door have in common."""

    @property
    def scores(self) -> Tensor | None:
        """Attention `(B, L)` of the last column to all others, float32; None before a prompt."""
        return None if self._read is None else self._read.scores

    def arrive(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Records the arguments of a call of the model, before its first layer runs."""
        ids, self.cache = kwargs.get("input_ids"), kwargs.get("past_key_values")
        if ids is None:
            raise ModelError(
                "in_llm finds visual tokens by their ids, and the model was called without "
                "input_ids; call it with Prompt.inputs()"
            )
        past = 0 if self.cache is None else self.cache.get_seq_length()
        self._filling, self._total = past == 0, past + ids.shape[1]
        if self._filling:
            given = kwargs.get("mm_encoder_outputs") or {}
            visual = self._of_frames(ids, given)
            mask = kwargs.get("attention_mask")
            self._start(visual, torch.ones_like(visual) if mask is None else mask.bool())
        elif _brings_pictures(kwargs) or not self._goes_on(past):
            raise ModelError(
                f"the cache holds {past} columns that did not come through this door, or more "
                "visual tokens follow them; read the whole video within in_llm, into an empty cache"
            )

    @torch.no_grad()
    def note(self, query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> None:
        """Keeps what the last column attends to.

        Args:
            query: `(B, heads, q, Dk)`.
            key: `(B, groups, kv, Dk)`.
            mask: bool `(B or 1, 1, q, kv)`; None for the plain causal one.
            scale: what scores are multiplied by.
        """
        if self._read is None or not self._filling:
            return
        batch, groups, length, channels = key.shape
        asking = query[:, :, -1].reshape(batch, groups, -1, channels).float() * scale
        scores = asking @ key.float().transpose(-1, -2)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, :, -1:], -torch.inf)
        self._read.scores = scores.softmax(-1).reshape(batch, -1, length).mean(1)

    def narrow(
        self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, first: bool
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns the arguments of a layer behind the door, with the columns that stay."""
        assert self._read is not None
        hidden, *rest = args
        if first and self._filling:
            self._choose(self._read, hidden)
            assert self._read.columns is not None
            hidden = _gathered(hidden, self._read.columns)
        if first:
            self._shared = self._narrowed(self._read, kwargs)
        return (hidden, *rest), {**kwargs, **self._shared}

    def _of_frames(self, ids: Tensor, given: Mapping[str, Any]) -> Tensor:
        """Returns which columns hold a visual token of a frame, bool `(B, L)`."""
        found = torch.zeros_like(ids, dtype=torch.bool)
        for name, number in self.placeholders.items():
            visual = ids == number
            if len(self.added) and name in given:
                features = torch.cat(list(given[name].pooler_output))
                own = (features[:, None] != self.added.to(features)).any(-1).all(1)
                visual = visual.masked_scatter(visual, own)
            found |= visual
        return found

    def _start(self, visual: Tensor, live: Tensor) -> None:
        if not bool(live[:, -1].all()):
            raise ModelError(
                "a prompt is padded on the right, and in_llm asks the last column of each what it "
                "attends to; pad on the left, as collate does"
            )
        self._read, self.kept = _Read(visual=visual, live=live), []

    def _goes_on(self, past: int) -> bool:
        """Whether the cache holds the prompts that were read, and what was made of them."""
        if self._read is None or self._read.columns is None:
            return False
        length = self._read.visual.shape[1]
        behind: int = self.cache.get_seq_length(self.layer)
        return past >= length and past - behind == length - self._read.columns.shape[1]

    def _choose(self, read: _Read, hidden: Tensor) -> None:
        assert read.scores is not None
        stays = read.live & ~read.visual
        for row, visual in enumerate(read.visual):
            columns = visual.nonzero().flatten()
            view = LayerView(
                scores=read.scores[row, columns], hidden=hidden[row, columns], columns=columns
            )
            with calling_back():
                self.kept.append(columns[self._picked(view)] if len(columns) else columns)
            stays[row, self.kept[-1]] = True
        # Columns that go fill up the rows that would be shorter; nobody attends to them.
        width = int(stays.sum(1).max())
        order = torch.argsort(stays.int(), dim=1, descending=True, stable=True)
        read.columns = order[:, :width].sort(1).values
        read.real = stays.gather(1, read.columns)

    def _picked(self, view: LayerView) -> Tensor:
        count = self.budget.tokens(len(view.columns))
        picked = self.choose(view, count)
        if picked.dtype != torch.int64 or len(picked) != count or len(picked.unique()) != count:
            raise ValueError(
                f"choose must return {count} distinct int64 indices, got {picked.dtype} "
                f"{tuple(picked.shape)}"
            )
        return picked.sort().values

    def _narrowed(self, read: _Read, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Returns what the layers behind the door take in place of these arguments."""
        columns, real = read.columns, read.real
        assert columns is not None
        assert real is not None
        mask = self._mask(kwargs.get("attention_mask"), columns, real, read.visual.shape[1])
        arguments: dict[str, Any] = {"attention_mask": mask}
        if not self._filling:
            return arguments
        turns = kwargs["position_embeddings"]
        arguments["position_embeddings"] = tuple(_gathered(turn, columns) for turn in turns)
        if (places := kwargs.get("position_ids")) is not None:
            arguments["position_ids"] = _gathered(places, columns)
        return arguments

    def _mask(
        self, mask: Tensor | None, columns: Tensor, real: Tensor, length: int
    ) -> Tensor | None:
        """Returns which of the columns that stay each query attends to, bool `(B, 1, q, kv)`."""
        if mask is None and bool(real.all()):
            return None
        if mask is None:
            # Left out where it is causal, or where one new token attends to all before it.
            queries = length if self._filling else 1
            full = torch.ones(queries, self._total, dtype=torch.bool, device=columns.device)
            mask = full.tril(self._total - queries)[None, None]
        new = torch.arange(length, self._total, device=columns.device).expand(len(columns), -1)
        there = torch.cat([real, torch.ones_like(new, dtype=torch.bool)], 1)
        mask = _gathered(mask.transpose(1, 3), torch.cat([columns, new], 1)).transpose(1, 3)
        mask = mask & there[:, None, None]
        if not self._filling:
            return mask
        mask = _gathered(mask.transpose(1, 2), columns).transpose(1, 2)
        # Some kernels make NaN of a query that attends to nothing, and NaN spreads.
        return mask | torch.diag_embed(~real)[:, None]


def _gathered(values: Tensor, columns: Tensor) -> Tensor:
    """Returns `values` `(B or 1, L, ...)` at the columns `(B, S)` of each prompt."""
    values = values.expand(len(columns), *values.shape[1:])
    index = columns.reshape(*columns.shape, *[1] * (values.ndim - 2))
    return values.gather(1, index.expand(-1, -1, *values.shape[2:]))


def _brings_pictures(kwargs: dict[str, Any]) -> bool:
    """Whether a call comes with visual tokens; an id alone may be what the model has made up."""
    pixels = (kwargs.get(name) for name in ("pixel_values", "pixel_values_videos"))
    return bool(kwargs.get("mm_encoder_outputs")) or any(value is not None for value in pixels)
