"""Reads the attention and the keys of one layer of a vision tower while it runs.

The fast attention gives no weights, and running a whole tower in the slow one costs its memory and
time. So the scores of one layer are computed again beside it, through the door that transformers
keeps for attention functions: no hook, no patched method, and no change to what the tower gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.hf.attention import listening

READS: Final = frozenset({"attention", "keys"})
"""The signals that a watched layer can give."""
SCORES: Final = 1 << 22
"""Attention weights that are held at once: 16 MB."""
SCORES_ON_GPU: Final = 1 << 26
"""The same on a GPU, where each step costs a launch: 256 MB."""


@dataclass(slots=True, kw_only=True, eq=False)
class WatchedLayer:
    """What a watched layer did in the forward passes since it has been watched."""

    module: Any
    summary: int | None
    joined: bool = False
    """Whether all heads count as one over all channels, instead of their average."""
    signals: frozenset[str] = READS
    """What is wanted of `attention` and `keys`; the other one is not computed."""
    _attention: list[Tensor] = field(default_factory=list)
    _keys: list[Tensor] = field(default_factory=list)

    @property
    def attention(self) -> Tensor:
        """Attention `(T, L)` that each token gets, float32; rows sum to 1.

        It comes from the summary token, or from all tokens on average in a tower without one.
        """
        return self._joined(self._attention)

    @property
    def keys(self) -> Tensor:
        """Keys `(T, L, Dk)` as the layer compares them, rotated if it does: averaged or joined."""
        return self._joined(self._keys)

    @torch.no_grad()
    def note(self, query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> None:
        """Keeps what one call of the layer attends to; queries and keys are `(B, heads, L, Dk)`."""
        if "keys" in self.signals and not self.joined:
            self._keys.append(key.mean(1))
        if self.joined:
            query, key = (each.transpose(1, 2).flatten(2)[:, None] for each in (query, key))
            mask, scale = None if mask is None else mask[:, :1], query.shape[-1] ** -0.5
            if "keys" in self.signals:
                self._keys.append(key[:, 0])
        if "attention" not in self.signals:
            return
        if mask is not None:
            mask = mask.expand(len(query), -1, -1, -1)
        _, heads, length, _ = key.shape
        asking, held, together = length if self.summary is None else 1, SCORES, 1
        if key.device.type != "cpu":
            held = SCORES_ON_GPU
            together = max(1, held // (heads * asking * length))
        for start in range(0, len(query), together):
            some = slice(start, start + together)
            part = None if mask is None else mask[some]
            self._attention.append(
                _weights(query[some], key[some], part, scale, self.summary, held)
            )

    def _joined(self, parts: list[Tensor]) -> Tensor:
        lengths = sorted({part.shape[1] for part in parts})
        if len(lengths) != 1:
            shapes = f"pictures of {lengths} tokens" if parts else "no picture"
            raise ModelError(
                f"the watched {type(self.module).__name__} saw {shapes}; it must see pictures of "
                "one size: watch a layer that attends over whole pictures, one video at a time"
            )
        return torch.cat(parts)


@contextmanager
def watch(
    module: Any,
    summary: int | None = None,
    *,
    joined: bool = False,
    signals: frozenset[str] = READS,
) -> Iterator[WatchedLayer]:
    """Gives what the attention `module` of a vision tower does in the forward passes within.

    The tower computes its attention by `sdpa` meanwhile, also where it was loaded with another, and
    has its own setting back afterwards. Threads may watch one tower: each sees its own passes.

    Args:
        module: the attention module of one layer, such as `tower.encoder.layers[-2].self_attn`.
        summary: position of the token that sums up the picture (CLS), None without one.
        joined: whether all heads count as one over all channels, instead of their average.
        signals: which of `attention` and `keys` are read; without either, nothing is switched.
    """
    seen = WatchedLayer(module=module, summary=summary, joined=joined, signals=signals & READS)
    if not seen.signals:
        yield seen
        return
    with listening(module.config, lambda other: [seen] if other is module else []):
        yield seen


def _weights(
    query: Tensor, key: Tensor, mask: Tensor | None, scale: float, summary: int | None, held: int
) -> Tensor:
    """Returns the attention `(P, L)` that the tokens of some pictures get.

    Args:
        query: `(P, heads, L, Dk)`.
        key: `(P, heads, L, Dk)`.
        mask: `(P, 1 or heads, L, L)`, False or a negative number where nothing is attended to.
        scale: what scores are multiplied by.
        summary: position of the token that asks, None for all of them.
        held: scores that are held at once.
    """
    pictures, heads, length, _ = key.shape
    asking = slice(None) if summary is None else slice(summary, summary + 1)
    query = query[:, :, asking]
    mask = None if mask is None else mask[:, :, asking]
    rows, turned = max(1, held // (pictures * heads * length)), key.float().transpose(2, 3)
    received = turned.new_zeros(pictures, length)
    for start in range(0, query.shape[2], rows):
        part = slice(start, start + rows)
        scores = (query[:, :, part].float() * scale) @ turned
        if mask is not None and mask.dtype == torch.bool:
            scores.masked_fill_(~mask[:, :, part], -torch.inf)
        elif mask is not None:
            scores += mask[:, :, part]
        received += scores.softmax(-1).sum((1, 2))
    return received / (heads * query.shape[2])
