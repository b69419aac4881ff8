"""Measures what an answer attends to in the prompt, by one more pass of its tokens over the cache.

Any kernel may have written the cache. The pass itself runs in `sdpa`, and beside it the softmax of
the answer's few rows is computed in every layer, through the door that transformers keeps for
attention functions; the model has its own setting back afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.hf.attention import listening

SCORES: Final = 1 << 24
"""Attention weights that are held at once: 64 MB."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Received:
    """The attention that the columns of a prompt have received so far."""

    total: Tensor
    """Sum over layers of the mean over heads and rows, float32 `(L,)`."""
    layers: int = 0

    def note(self, query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> None:
        """Adds one layer.

        Args:
            query: of the rows that predicted the answer, `(1, heads, n, Dk)`.
            key: of the prompt and the answer but its last token, `(1, groups, L + n - 1, Dk)`.
            mask: bool `(1, 1, n, L + n - 1)`; None for the plain causal one.
            scale: what scores are multiplied by.
        """
        _, groups, length, channels = key.shape
        heads, count = query.shape[1:3]
        if length != len(self.total) + count - 1:
            raise ModelError(
                f"a layer holds {length - count + 1} of the prompt's {len(self.total)} columns, so "
                "its attention cannot be laid on the video; use evidence='similarity' with in_llm"
            )
        columns = torch.arange(length, device=key.device)
        turned = key[0].float().transpose(1, 2)
        step = max(1, SCORES // (heads * length))
        for start in range(0, count, step):
            rows = torch.arange(start, min(start + step, count), device=key.device)
            asking = query[0, :, rows].reshape(groups, -1, channels).float() * scale
            scores = (asking @ turned).view(heads, len(rows), length)
            scores = scores.masked_fill(columns > (length - count + rows)[:, None], -torch.inf)
            if mask is not None:
                allowed = mask[0, :, rows, :length]
                scores = scores.masked_fill(~allowed, -torch.inf)
            shares = scores.softmax(-1).sum((0, 1)) / (heads * count)
            self.total += shares[: len(self.total)].to(self.total.device)
        self.layers += 1


@torch.no_grad()
def answer_attention(model: Any, inputs: dict[str, Any], prompt_length: int) -> Tensor:
    """Returns the share of attention `(L,)` that an answer gives to each column of its prompt.

    It is the mean over all layers, all heads and the positions from which the answer's tokens were
    predicted. What goes to other tokens of the answer is left out, so the sum is at most 1.

    Args:
        model: a vision LLM of transformers.
        inputs: arguments of its forward: a cache that holds all but the last token of the prompt,
            and this token with the answer's tokens except for the last one.
        prompt_length: columns `L` of the prompt.
    """
    received, rows = _Received(total=torch.zeros(prompt_length)), inputs["input_ids"].shape[1]
    with listening(model.get_decoder().config, lambda _: [received]):
        # Some models drop rows in their last layers whose logits nobody wants.
        model(**inputs, use_cache=True, logits_to_keep=rows)
    if not received.layers:
        raise ModelError(
            "no layer of the LLM shows its attention; use evidence='similarity' with this model"
        )
    return received.total / received.layers
