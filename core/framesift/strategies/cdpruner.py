"""Keeps tokens that are relevant to the question and unlike each other, as a DPP weighs both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops, determinantal
from framesift.strategies._pairwise import unit
from framesift.strategies.base import ScoreStrategy, Signal
from framesift.types.tokens import VideoTokens

CHUNK_BYTES = 2**25
"""Kernels and factors that are held at once on the CPU."""
FIRST_LOOK = 1.25
"""Choices made in each frame at first, as a multiple of its even share of the budget."""


@dataclass(frozen=True, kw_only=True)
class CDPruner(ScoreStrategy):
    """Chooses the most probable tokens of a determinantal point process, greedily.

    The kernel is `relevance_i * similarity_ij * relevance_j`: relevance is the similarity to the
    question on a scale from 0 to 1, similarity the cosine of features. Each choice is the token of
    largest gain, its squared relevance times the part of it that the chosen ones do not span,
    updated by one row of a Cholesky factor.

    Differences from the published method:

    - The kernel of a video is zero between frames, so that memory grows with `T N^2`. Frames share
      one budget: a frame that answers the question gets more of it than one that does not. The
      original gives each picture the same count.
    - Relevance is scaled over the video, not over one picture, and taken as the encoder gives it;
      the original negates a cosine, which suits the CLIP that it was written for.
    - Where no token of a frame adds anything, as with more tokens than channels or with duplicates,
      choosing goes on by a fresh process over what is left. The original divides by noise there.
    """

    summary: ClassVar[str] = "relevant to the question and diverse, a greedy DPP per frame"
    paper: ClassVar[str] = "https://arxiv.org/abs/2506.10967"
    needs: ClassVar[frozenset[Signal]] = frozenset({"question_similarity"})
    cost: ClassVar[str] = "O(T N^2 (D + N))"

    def least_multiplications(self, frames: int, patches: int, channels: int, budget: int) -> float:
        """Returns those of the kernels, and of the choices, counted for the memory they read."""
        chosen = min(patches, budget / frames)
        return frames * patches * (2.0 * patches * channels + 10.0 * chosen**2)

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the negated place of each token in the order of choice, int64 `(T, N)`.

        Tokens that are surely not among the first `budget` come last, in no order of their own.
        """
        assert tokens.signals.question_similarity is not None
        live, (frames, patches) = tokens.live, tokens.live.shape
        weight = _relevance(tokens.signals.question_similarity.float(), live).square()
        process, gain = torch.full_like(weight, patches + 1.0), torch.zeros_like(weight)
        most = min(patches, budget)
        count = min(most, int(FIRST_LOOK * budget / frames) + 1)
        bytes_at_once = CHUNK_BYTES if weight.device.type == "cpu" else 8 * CHUNK_BYTES
        at_once = max(1, bytes_at_once // (4 * patches * (patches + count)))
        going: Sequence[slice | Tensor] = [
            slice(start, start + at_once) for start in range(0, frames, at_once)
        ]
        while True:
            for some in stoppable(going):
                units = unit(tokens.features[some])
                kernel = _ops.rounded(units @ units.mT)
                process[some], gain[some] = _greedy(kernel, weight[some], live[some], count=count)
            order = _first_chosen(process, gain)
            if count == most:
                break
            may = _may_go_on(process, gain, order[min(budget, len(order)) - 1])
            may &= (process <= patches).sum(1) < live.sum(1)
            rest = may.nonzero().flatten()
            if not len(rest):
                break
            count = min(most, 2 * count)
            going = rest.split(max(1, bytes_at_once // (4 * patches * (patches + count))))
        places = torch.arange(len(order), device=order.device)
        return -torch.empty_like(order).scatter_(0, order, places).view_as(live)


def _first_chosen(process: Tensor, gain: Tensor) -> Tensor:
    """Returns all tokens in the order of choice, `(T * N,)`: by process, then by gain."""
    order = torch.argsort(gain.flatten(), descending=True, stable=True)
    return order[torch.argsort(process.flatten()[order], stable=True)]


def _may_go_on(process: Tensor, gain: Tensor, last: Tensor) -> Tensor:
    """Returns the frames whose next choice may come before the token `last`, bool `(T,)`.

    Within a process gains only fall, so the last choice of a frame bounds those that follow it.
    """
    chosen = process <= process.shape[1]
    own = process.where(chosen, -1.0).amax(1)
    least = gain.where(process == own[:, None], torch.inf).amin(1)
    bound, value = process.flatten()[last], gain.flatten()[last]
    return (own < bound) | ((own == bound) & (least >= value))


def _relevance(similarity: Tensor, live: Tensor) -> Tensor:
    """Returns the similarity scaled to [0, 1] over the live tokens, 1 where all are alike."""
    low = similarity.masked_fill(~live, torch.inf).amin()
    high = similarity.masked_fill(~live, -torch.inf).amax()
    scaled = (similarity - low) / (high - low).clamp_min(1e-30)
    return torch.where(high > low, scaled, torch.ones_like(scaled))


def _greedy(kernel: Tensor, weight: Tensor, live: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
    """Returns for each token the process that chose it and its gain then, both `(T, N)`.

    Args:
        kernel: cosines of the tokens of a frame `(T, N, N)`.
        weight: squared relevance `(T, N)`.
        live: tokens that may be chosen `(T, N)`.
        count: most choices in a frame; a token not reached has a process beyond all others.
    """
    frames, patches = weight.shape

    def rows(chosen: Tensor) -> Tensor:
        return kernel.gather(1, chosen[..., None].expand(-1, 1, patches))[:, 0]

    made = determinantal.greedy(rows, weight, live, count=count)
    # What is chosen when nothing is left goes to a place beyond the last, which is cut off.
    ended = weight.new_full((frames, patches + 1), patches + 1.0)
    gains = torch.zeros_like(ended).scatter_(1, made.places, made.gains)
    return ended.scatter_(1, made.places, made.process.float())[:, :-1], gains[:, :-1]
