"""Where on the frames text stands: the signal `text` of tokens, from lines that have boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from framesift.types.tokens import VideoTokens
from framesift.types.video import WHOLE, Region, TimedText

TEXT: Final = "text"
"""Name of the signal."""


def with_text(
    tokens: VideoTokens, lines: Sequence[TimedText], regions: Sequence[Region]
) -> VideoTokens:
    """Returns the tokens with the signal `text`, from all lines that have a box.

    A line counts in the first frame of each of its stretches: it need be kept only once, and where
    it stands later, once a page was scrolled, its box does not say.

    Args:
        tokens: of a video or of a picture.
        lines: what was read in it.
        regions: the part of the picture that the grid of each frame covers, one for all or one
            for each.
    """
    times = tokens.pts_seconds[:, None] if tokens.step_seconds is None else tokens.step_seconds
    times = times.double()
    share = torch.zeros(tokens.features.shape[:2])
    each = list(regions) if len(regions) > 1 else list(regions) * tokens.frame_count
    for line in lines:
        if line.box is None:
            continue
        covers = {region: covered(line.box, tokens.grid, region) for region in set(each)}
        for frame in _first_frames(line, times):
            share[frame] += covers[each[frame]]
    share = share.clamp_max(1.0).to(tokens.features.device)
    return replace(tokens, signals=replace(tokens.signals, text=share))


def covered(box: Region, grid: tuple[int, int], region: Region = WHOLE) -> Tensor:
    """Returns the share of each cell of a grid that a box covers, `(h * w,)`.

    Args:
        box: part of the picture.
        grid: cells `(h, w)` of `region`.
        region: part of the picture.
    """
    rows = _overlap(box[1], box[3], grid[0], region[1], region[3])
    columns = _overlap(box[0], box[2], grid[1], region[0], region[2])
    return (rows[:, None] * columns).flatten()


def _overlap(start: float, end: float, cells: int, first: float, last: float) -> Tensor:
    """Returns the share of each of `cells` equal parts from `first` to `last` that a span has."""
    edges = torch.linspace(0, 1, cells + 1, dtype=torch.float64) * (last - first) + first
    inside = edges[1:].clamp(max=end) - edges[:-1].clamp(min=start)
    return (inside.clamp_min(0) * cells / (last - first)).float()


def _first_frames(line: TimedText, times: Tensor) -> list[int]:
    """Returns the first frame in each stretch of a line, by the times of each frame `(T, S)`.

    A stretch between two frames has none.
    """
    frames = []
    for start, end in line.stretches:
        stands = ((times == start) | ((times >= start) & (times < end))).any(1)
        frames += stands.nonzero().flatten().tolist()[:1]
    return frames
