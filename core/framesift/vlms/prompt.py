"""What goes into a vision LLM: turns of a conversation, and the prompt they become."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.registry import require
from framesift.types.compressed import CompressedVideo

MOVED: Final = (
    "so the tokens that were kept are counted anew and their distances in time are lost; sample "
    "fewer frames to keep them"
)
"""What it means that positions became compact."""

SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
"""Half of a character: what is left of bytes that are not UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a conversation: its videos, what was read off them, and its text."""

    role: Literal["user", "assistant", "system"]
    text: str
    videos: tuple[CompressedVideo, ...] = ()
    beside: str = ""
    """Lines that were read off videos, as they stand before the text."""

    @property
    def written(self) -> str:
        """All that is text: the lines and the message."""
        return self.beside + self.text


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompt:
    """A prompt with exactly as many placeholders as there are visual tokens."""

    input_ids: Tensor
    """Token ids, int64 `(L,)`."""
    position_ids: Tensor
    """Position of each column, int64 `(L,)`, or `(3, L)` as (time, row, column) for M-RoPE."""
    visual: Tensor
    """Columns that hold a visual token, bool `(L,)`."""
    features: Tensor
    """Visual tokens of all videos, in the order of their columns, `(M, D)`."""
    layers: Tensor | None
    """What deeper LLM layers add to them (DeepStack), `(M, Ld, D)`, else None."""
    rows: Tensor
    """Row of the plans that each visual token is, counted over all videos, int64 `(M,)` on the CPU;
    -1 for a token that the family itself adds, such as the newline that ends a video."""
    prefix_length: int
    """Columns up to the end of the last video, which no later text changes."""
    visual_tokens_before: int
    """Placeholders that the prompt of the uncompressed videos has."""
    positions: Literal["original", "compact"]
    """Whether columns hold their places in the uncompressed prompt, or follow one another."""
    images: Tensor
    """Visual tokens that the model takes under the name `image`, bool `(M,)` on the CPU; the others
    it takes under the name `video`."""
    listed: frozenset[str]
    """Names under which the model takes a list of runs, else one batch."""
    columns: dict[str, Tensor] = field(default_factory=dict)
    """What the model takes of each column besides, by name, `(L,)` each."""
    warnings: tuple[str, ...] = ()

    def by_row(self, values: Tensor) -> Tensor:
        """Returns values of the visual tokens `(M, ...)`, those of the plans' rows alone, in order.

        A row stands in the prompt where its tokens stood on average, so columns may have another
        order than rows.
        """
        own = (self.rows >= 0).nonzero().flatten()
        order = own[self.rows[own].argsort()]
        return values[order.to(values.device)]

    def inputs(self) -> dict[str, Any]:
        """Returns the keyword arguments of the model's `forward` and `generate`, batch 1."""
        return collate([self], pad_token_id=0)

    def __repr__(self) -> str:
        return (
            f"Prompt(L={len(self.input_ids)}, visual tokens {self.visual_tokens_before} -> "
            f"{len(self.features)}, {self.positions} positions)"
        )


def as_messages(
    turns: Sequence[Turn],
    items: Sequence[Sequence[str]],
    write: Callable[[str], str],
    *,
    plain: bool = False,
) -> list[dict[str, Any]]:
    """Returns a conversation as chat templates take it.

    Args:
        turns: the conversation so far.
        items: the types of the items that each video is made of, `"image"` or `"video"`, in order.
        write: makes of each text what the template sees of it.
        plain: whether a turn without videos is a string, not a list with its one text.
    """
    given, messages = iter(items), []
    for turn in turns:
        shown = [{"type": kind} for _ in turn.videos for kind in next(given)]
        text = write(turn.written)
        content = text if plain and not shown else [*shown, {"type": "text", "text": text}]
        messages.append({"role": turn.role, "content": content})
    return messages


def check_text(text: str) -> None:
    """Refuses a text that no tokenizer takes.

    Raises:
        ModelError: it holds what is left of bytes that are not UTF-8.
    """
    if broken := SURROGATE.search(text):
        raise ModelError(
            f"the text {text[:60]!r} holds {broken[0]!r}, which is not a character; pass text in "
            "UTF-8"
        )


def compacted(end: int, model: str, context_tokens: int) -> str:
    """Returns the warning that a prompt of `end` positions exceeds what a model was made for."""
    return f"the whole video would need {end} positions and {model!r} has {context_tokens}, {MOVED}"


def collate(prompts: Sequence[Prompt], pad_token_id: int) -> dict[str, Any]:
    """Returns the keyword arguments for a batch of prompts, padded on the left.

    Args:
        prompts: prompts of one model; they may differ in length and in visual tokens.
        pad_token_id: what fills the columns that the attention mask leaves out.
    """
    length = max(len(prompt.input_ids) for prompt in prompts)
    ids, masks, positions = [], [], []
    columns: dict[str, list[Tensor]] = {}
    for prompt in prompts:
        pad = (length - len(prompt.input_ids), 0)
        ids.append(torch.nn.functional.pad(prompt.input_ids, pad, value=pad_token_id))
        masks.append(torch.nn.functional.pad(torch.ones_like(prompt.input_ids), pad))
        positions.append(torch.nn.functional.pad(prompt.position_ids, pad))
        for name, value in prompt.columns.items():
            columns.setdefault(name, []).append(torch.nn.functional.pad(value, pad))
    batch: dict[str, Any] = {
        "input_ids": torch.stack(ids),
        "attention_mask": torch.stack(masks),
        "position_ids": torch.stack(positions, dim=-2),
        **{name: torch.stack(values) for name, values in columns.items()},
    }
    if any(len(prompt.features) for prompt in prompts):
        images = torch.cat([prompt.images for prompt in prompts])
        kinds = {"image": images, "video": ~images}
        batch["mm_encoder_outputs"] = {
            name: _encoder_output(prompts, own, name in prompts[0].listed)
            for name, own in kinds.items()
            if bool(own.any())
        }
    return batch


def _encoder_output(prompts: Sequence[Prompt], own: Tensor, listed: bool) -> Any:
    """Returns visual tokens of all prompts, as the model's own encoder would give them.

    Args:
        prompts: prompts of one model.
        own: which of their visual tokens, bool `(M,)` on the CPU.
        listed: whether the model takes a list of runs.
    """

    def picked(values: Sequence[Tensor]) -> Tensor:
        joined = torch.cat([*values])
        return joined if bool(own.all()) else joined[own.nonzero().flatten().to(joined.device)]

    features = picked([prompt.features for prompt in prompts])
    pooled = [features] if listed else features[None]
    given = [prompt.layers for prompt in prompts if prompt.layers is not None]
    if not given:
        outputs = require("transformers.modeling_outputs", extra="hf")
        return outputs.BaseModelOutputWithPooling(pooler_output=pooled)
    outputs = require("transformers.models.qwen3_vl.modeling_qwen3_vl", extra="hf")
    layers = picked(given)
    return outputs.BaseModelOutputWithDeepstackFeatures(
        pooler_output=pooled, deepstack_features=[[layer] for layer in layers.unbind(1)]
    )
