"""Keeps the patches that are least like the middle of their frame and of the video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies.base import ScoreStrategy
from framesift.types.tokens import VideoTokens

WIDTHS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
"""Variances of the Gaussians that are summed."""
TEMPERATURE = 0.01
PARTS = 2**30
"""Parts in which ranks count: whole numbers keep what float32 would lose beside a tier."""


@dataclass(frozen=True, kw_only=True)
class VidCom2(ScoreStrategy):
    """Gives unusual frames a larger share, and keeps the tokens that stand out most.

    Half of the channels count, those of lowest variance, and each token's length is set to 1. How
    common a token is, is a sum of Gaussians of its distance to the mean of the video plus one of
    that to the mean of its frame. Frames whose tokens are less common to the video get more of the
    budget; within a frame the least common tokens are kept. What rounding leaves over or short is
    settled over the whole video: the most common of the kept ones go, or the least common of the
    others come, and while the budget allows no frame is left without a token.

    Differences from the published method:

    - The number of tokens is the budget; the original's count follows from its rounding. The
      settlement is the one of serving engines that must know the count beforehand.
    - A budget below one token a frame holds.
    - Distances are rounded to 1e-6, so that equal tokens tie, and the earlier one is kept. They are
      those of float32. An engine computes them in the dtype of its model (vLLM:
      `--video-pruning-method vidcom2`): in bfloat16 they come in coarse steps, more tokens tie, and
      some of the tokens kept may be others.
    - With a single channel that one counts; half of it would be none.
    """

    summary: ClassVar[str] = "patches that stand out from their frame and from the video"
    paper: ClassVar[str] = "https://arxiv.org/abs/2505.14454"
    cost: ClassVar[str] = "O(T N D)"

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the rank of each token, int64 `(T, N)`: its tier, then how uncommon it is."""
        live = tokens.live
        in_video, in_frame = _commonness(tokens)
        common = in_video + in_frame
        rank = _ops.ranks_in_frames(common, live)
        within = rank < _frame_shares(in_video, live, budget)[:, None]
        # A sum of ten Gaussians is at most 10, which keeps the three tiers apart.
        tier = 16 * (within.long() + (rank == 0).long())
        return tier * PARTS - (common * PARTS).long()


def _frame_shares(in_video: Tensor, live: Tensor, budget: int) -> Tensor:
    """Returns how many tokens each frame should keep, `(T,)`, at least 1."""
    counts = live.sum(1)
    filled = counts > 0
    mean = (in_video * live).sum(1) / counts.clamp_min(1)
    weight = _ops.divided(-mean, TEMPERATURE).masked_fill(~filled, -torch.inf).softmax(0)
    scale = budget / counts.sum() * (1 + weight - 1 / filled.sum())
    # Rounded twice, so that the last bit of a sum does not decide on a half.
    exact = _ops.rounded(scale.clamp_max(1) * counts, 1024)
    return exact.round().clamp_min(1)


def _commonness(tokens: VideoTokens) -> tuple[Tensor, Tensor]:
    """Returns how like the video's and how like the frame's mean tokens are, `(T, N)` each."""
    features, live = tokens.features, tokens.live
    calm = _calm_channels(features, live.float())
    length, own = _lengths_and_sums(features, live.float(), calm)
    centre = (own.sum(0) / live.sum()).expand_as(own)
    centres = torch.cat([centre, own / live.sum(1).clamp_min(1)[:, None, None]], 1)
    # Products need no room of their own, so all places go at once where nothing is copied.
    products = [centres @ wide.mT for _, wide in _ops.wide_parts(features, width=1)]
    along = torch.cat(products, 2) / length.clamp_min(1e-12)[:, None]
    near = (length > 0).float()[:, None] + centres.square().sum(2, keepdim=True) - 2 * along
    distance = _ops.rounded(near.clamp_min(0))
    common = torch.stack([_ops.divided(-distance, 2 * width).exp() for width in WIDTHS]).sum(0)
    return common[:, 0], common[:, 1]


def _lengths_and_sums(features: Tensor, live: Tensor, calm: Tensor) -> tuple[Tensor, Tensor]:
    """Returns over the channels that count the length of each token and the sum of each frame.

    The sum is that of unit tokens `(T, 1, D)`, the lengths are `(T, N)`.
    """
    lengths, room = [], None
    sums = torch.zeros(len(features), 1, features.shape[2], device=features.device)
    for part, wide in _ops.wide_parts(features):
        room = torch.empty_like(wide) if room is None else room
        counting = torch.mul(wide, calm, out=room[:, : wide.shape[1]])
        lengths.append(_ops.length(counting))
        weight = live[:, part] / lengths[-1].clamp_min(1e-12)
        sums += weight[:, None] @ counting
    return torch.cat(lengths, 1), sums


def _calm_channels(features: Tensor, live: Tensor) -> Tensor:
    """Returns 1 for the half of the channels with the lowest variance over live tokens, `(D,)`."""
    # Values are summed from near their mean, where squares lose nothing to rounding.
    start = features[0].float().mean(0)
    sums, room = [], None
    for part, wide in _ops.wide_parts(features):
        room = torch.empty_like(wide) if room is None else room
        apart = torch.sub(wide, start, out=room[:, : wide.shape[1]])
        weight = live[:, None, part]
        sums.append(torch.cat([weight @ apart, weight @ apart.square_()], 1).sum(0))
    mean, squares = torch.stack(sums).sum(0) / live.sum()
    order = (squares - mean.square()).argsort(stable=True)
    return torch.zeros_like(start).index_fill_(0, order[: max(1, len(order) // 2)], 1.0)
