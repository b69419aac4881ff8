"""Keeps the patches that are least like the middle of their frame and of the video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies.base import ScoreStrategy
from framesift.types.tokens import VideoTokens

WIDTHS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
"""Variances of the Gaussians that are summed."""
TEMPERATURE = 0.01


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
        """Returns the rank of each token, float64 `(T, N)`: its tier, then how uncommon it is."""
        live = tokens.live
        in_video, in_frame = _commonness(tokens)
        common = in_video + in_frame
        rank = _ops.ranks_in_frames(common, live)
        within = rank < _frame_shares(in_video, live, budget)[:, None]
        # A sum of ten Gaussians is at most 10, which keeps the three tiers apart.
        return 16.0 * within + 16.0 * (rank == 0) - common


def _frame_shares(in_video: Tensor, live: Tensor, budget: int) -> Tensor:
    """Returns how many tokens each frame should keep, `(T,)`, at least 1."""
    counts = live.sum(1)
    filled = counts > 0
    mean = (in_video * live).sum(1) / counts.clamp_min(1)
    weight = (-mean / TEMPERATURE).masked_fill(~filled, -torch.inf).softmax(0)
    scale = budget / counts.sum() * (1 + weight - 1 / filled.sum())
    return (scale.clamp_max(1) * counts).round().clamp_min(1)


def _commonness(tokens: VideoTokens) -> tuple[Tensor, Tensor]:
    """Returns how like the video's and how like the frame's mean tokens are, float64 `(T, N)`."""
    calm = _calm_channels(tokens)
    lengths, frame_sums = [], []
    for frame, live in stoppable(zip(tokens.features, tokens.live, strict=True)):
        wide = frame.float() * calm
        lengths.append(torch.linalg.vector_norm(wide, dim=1))
        frame_sums.append((live / lengths[-1].clamp_min(1e-12)) @ wide)
    counts = tokens.live.sum(1)
    centre = torch.stack(frame_sums).sum(0) / counts.sum()
    columns = []
    for index, frame in enumerate(stoppable(tokens.features)):
        own = frame_sums[index] / counts[index].clamp_min(1)
        columns.append(_distances(frame.float(), lengths[index], torch.stack([centre, own])))
    near = torch.stack(columns)
    common = sum((-near / (2 * width)).exp() for width in WIDTHS)
    assert isinstance(common, Tensor)
    return common[:, 0], common[:, 1]


def _distances(frame: Tensor, lengths: Tensor, centres: Tensor) -> Tensor:
    """Returns squared distances of unit tokens to two centres, rounded to 1e-6, `(2, N)`."""
    along = (centres @ frame.T) / lengths.clamp_min(1e-12)
    value = (lengths > 0).double() + centres.double().square().sum(1, keepdim=True) - 2 * along
    return _ops.rounded(value.clamp_min(0))


def _calm_channels(tokens: VideoTokens) -> Tensor:
    """Returns 1 for the half of the channels with the lowest variance over live tokens, `(D,)`."""
    # Values are summed from near their mean, where squares lose nothing to rounding.
    start = tokens.features[0].float().mean(0)
    sums = torch.zeros(2, len(start), dtype=torch.float64, device=start.device)
    for frame, live in stoppable(zip(tokens.features, tokens.live.float(), strict=True)):
        apart = frame.float() - start
        sums += torch.stack([live @ apart, live @ apart.square_()])
    mean, squares = sums / tokens.live.sum()
    order = (squares - mean.square()).argsort(stable=True)
    return torch.zeros_like(start).index_fill_(0, order[: max(1, len(order) // 2)], 1.0)
