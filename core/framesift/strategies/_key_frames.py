"""The frame of each segment that tells most beside the segment's mean."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch

from framesift.strategies import _ops
from framesift.types.device import segment_sums
from framesift.types.tokens import VideoTokens


def informative(tokens: VideoTokens, frames: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Returns for each segment the frame whose live tokens depart most from the segment's mean.

    Where a segment is its mean and one of its frames, what is lost is the distance of the other
    frames to the mean: least if the farthest one is shown. The earlier frame is taken on ties.

    Args:
        tokens: all tokens of the video.
        frames: numbers of the frames of all segments, ascending.
        sizes: number of frames of each segment.
    """
    device = tokens.features.device
    picked = torch.tensor(list(frames), device=device)
    lengths = torch.tensor(list(sizes), device=device)
    owner = torch.repeat_interleave(torch.arange(len(sizes), device=device), lengths)
    live = tokens.live[picked].float()  # (F, N)
    apart = torch.zeros(len(picked), device=device)
    for places, wide in _ops.wide_parts(tokens.features):
        own, counted = wide[picked], live[:, places, None]
        total = segment_sums((own * counted).flatten(1), lengths).view(len(sizes), *own.shape[1:])
        held = segment_sums(counted.flatten(1), lengths).clamp_min(1)[..., None]
        mean = (total / held)[owner]
        apart += (((own - mean) ** 2).sum(-1) * live[:, places]).sum(1)
    values = (apart / live.sum(1)).tolist()
    keys = []
    for stop, size in zip(accumulate(sizes), sizes, strict=True):
        own_values = values[stop - size : stop]
        # In parts of the largest, so that equal frames tie and other segments play no part.
        shares = [round(value / (max(own_values) or 1.0), 6) for value in own_values]
        keys.append(frames[stop - size + shares.index(max(shares))])
    return keys
