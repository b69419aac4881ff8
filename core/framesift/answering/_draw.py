"""Draws a token from a model's distribution instead of taking the likeliest."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(slots=True, kw_only=True, eq=False)
class Draw:
    """A logits processor under which the greedy choice is a draw from the distribution.

    Adding Gumbel noise to the logits and taking the largest is drawing from their softmax; the
    noise comes from a generator of its own, so a draw neither reads nor moves torch's random state.
    """

    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | None
    _random: torch.Generator = field(default_factory=torch.Generator, init=False)

    def __post_init__(self) -> None:
        if self.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(self.seed)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        scores = scores.float() / self.temperature
        if self.top_k is not None:
            count = min(self.top_k, scores.shape[-1])
            scores = scores.masked_fill(scores < scores.topk(count).values[:, -1:], -torch.inf)
        if self.top_p is not None:
            ordered, places = scores.softmax(-1).sort(descending=True, stable=True)
            beyond = ordered.cumsum(-1) - ordered >= self.top_p
            scores = scores.masked_fill(beyond.gather(-1, places.argsort(-1)), -torch.inf)
        waiting = torch.empty(scores.shape).exponential_(generator=self._random)
        return scores - waiting.log().to(scores.device)
