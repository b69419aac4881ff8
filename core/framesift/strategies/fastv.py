"""Keeps the tokens that the prompt's last token attends to, inside the LLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.strategies.base import ScoreStrategy, Signal
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class FastV(ScoreStrategy):
    """Drops, between two layers of the LLM, the visual tokens that the question attends to least.

    `with vlm.in_llm("fastv", layer=K, keep=1 - R):` is the method with its two parameters: layers
    before `K` see all tokens, the others those of highest attention of the prompt's last token in
    the layer before `K`, mean of heads. What is left keeps its positions, and the caches of later
    layers are shorter. The model runs as ever, by fast attention, and only that one row of scores
    is computed beside it.

    Differences from the published method:

    - Attention of that layer is not computed a second time in full, so no layer is slower for it.
    - Any number of videos and prompts at once; the original takes one image in one prompt.
    - Half a token is rounded up, and equal scores go to the earlier token.
    """

    summary: ClassVar[str] = "highest attention of the prompt's last token in an early LLM layer"
    paper: ClassVar[str] = "https://arxiv.org/abs/2403.06764"
    needs: ClassVar[frozenset[Signal]] = frozenset({"llm_attention"})
    cost: ClassVar[str] = "O(T N (D + log T N))"

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the attention of the prompt's last token to each token, `(T, N)`."""
        assert tokens.signals.llm_attention is not None
        return tokens.signals.llm_attention
