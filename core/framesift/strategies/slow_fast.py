"""Shows one key frame of each segment in detail, and the segment's motion on a coarse grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

from framesift.errors import InvalidOptionError
from framesift.strategies import _ops, _pooling
from framesift.strategies._key_frames import informative
from framesift.strategies.base import Strategy
from framesift.strategies.slow_fast_layout import (
    FilledCells,
    Remainder,
    SlowFastLayout,
    SlowFastRows,
)
from framesift.types.options import Count
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

SEGMENTS: Final = {"clapper": 4, "slowfast-llava": 5, "llava-video": 10}
"""Frames of a segment of each public layout."""
COARSE_SIDE: Final = 16
"""Longest side of a grid that key frames keep as it is; longer ones are halved."""
FAST_SIDE: Final = 4
"""Side of the grid on which SlowFast-LLaVA shows every frame."""


@dataclass(frozen=True, kw_only=True)
class SlowFast(Strategy):
    """Cuts the video in segments: of each, one key frame in detail and few temporal tokens.

    With 28 x 28 patches, a segment of four frames is 14 x 14 tokens of its first frame, then
    7 x 7 tokens of all four together: 61.25 tokens a frame instead of 784. The number of tokens is
    that of the most evenly spaced frames whose layout fits the budget. A budget below one key
    frame shows the middle frame, on the largest grid that fits. A grid that does not divide has
    windows that overlap by one place.

    `filling=pooled` needs no weights: temporal tokens are means over windows of all frames of
    their segment. This is an untrained approximation. Clapper computes them by a network, and a
    model that never saw such tokens may read them badly.

    Differences from the published layouts:

    - Tokens are in the order of their mean time. So slow tokens of `slowfast-llava` stand at their
      frame, among its fast ones, and not before all of these.
    - `slowfast-llava` averages two patches of a row; the release takes the larger value of two in
      raster order, which may be in different rows.
    - `llava-video` averages over windows; the release interpolates where the grid does not divide,
      and ends each frame with a token that is learned.
    - Masked tokens take no part, a cell of nothing else gives no token, and a frame of nothing
      else is not one of the frames.
    """

    summary: ClassVar[str] = "key frames in detail, motion between them on a coarse grid"
    paper: ClassVar[str] = "https://arxiv.org/abs/2505.15529"
    cost: ClassVar[str] = "O(T N)"
    structural: ClassVar[bool] = True

    layout: Literal["clapper", "slowfast-llava", "llava-video"] = "clapper"
    """Which public layout: `clapper` has temporal tokens for each segment, the other two have some
    for each frame. `llava-video` shows every tenth frame in detail, `slowfast-llava` every fifth,
    with half of its columns, and all frames on 4 x 4 cells."""
    filling: Literal["pooled"] = "pooled"
    """What temporal tokens hold: `pooled` for means, which are untrained."""
    segment: Count | None = None
    """Frames of a segment; None for the 4, 5 or 10 of the layout."""
    key_stride: Count | None = None
    """Patches a side of a cell of a key frame; None for 1 on grids of at most 16 a side, else 2."""
    time_stride: Count | None = None
    """Patches a side of a cell of temporal tokens; None for twice `key_stride`."""
    key: Literal["first", "informative"] = "first"
    """The key frame of a segment: its first one, or the one that departs most from the mean of the
    segment, which the temporal tokens say least about."""
    remainder: Remainder = "key_only"
    """A single frame behind the last segment of `clapper`: shown as a key frame alone, with
    temporal tokens of its own (`repeat`), or within the segment before it (`merge`)."""
    include_key: bool | None = None
    """Whether key frames count in the temporal tokens, too; None for what the layout does: all but
    `llava-video` include them."""

    def __post_init__(self) -> None:
        if self.layout != "clapper" and self.remainder != "key_only":
            raise InvalidOptionError(
                f"remainder={self.remainder!r} is for temporal tokens of whole segments, and "
                f"layout={self.layout!r} has some for each frame; leave it out, or take "
                "layout='clapper'"
            )

    def layout_on(self, grid: tuple[int, int]) -> SlowFastLayout:
        """Returns the layout on frames of a patch grid `(h, w)`."""
        key_grid, time_grid = self._grids(grid)
        include_key = self.include_key
        return SlowFastLayout(
            grid=grid,
            key_grid=key_grid,
            time_grid=time_grid,
            segment=self.segment or SEGMENTS[self.layout],
            remainder=self.remainder,
            include_key=self.layout != "llava-video" if include_key is None else include_key,
            per_frame=self.layout != "clapper",
        )

    def rows(self, tokens: VideoTokens, frames: Sequence[int]) -> SlowFastRows:
        """Returns the rows of a video of which only some frames are shown.

        Args:
            tokens: all tokens of the video.
            frames: ascending numbers of the frames, each with a live token.
        """
        layout = self.layout_on(tokens.grid)
        keys = None
        if self.key == "informative":
            keys = informative(tokens, frames, layout.sizes(len(frames)))
        return layout.rows(
            layout.segments(frames, keys), tokens.frame_count, tokens.mask, tokens.features.device
        )

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of the most evenly spaced frames whose layout fits the budget."""
        layout = self.layout_on(tokens.grid)
        if tokens.mask is None:
            shown = list(range(tokens.frame_count))
            count = layout.most_frames(len(shown), budget)
        else:
            live = tokens.mask.cpu()
            shown = live.any(1).nonzero().flatten().tolist()
            count = FilledCells.of(layout, live[shown]).most(
                len(shown),
                budget,
                lambda number: _ops.evenly(len(shown), number).numpy(),
                first_is_key=self.key == "first",
            )
        if count == 0:
            return _one_frame(tokens, shown[len(shown) // 2], budget)
        return self.rows(tokens, [shown[place] for place in _ops.evenly(len(shown), count)]).plan

    def _grids(self, grid: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Returns the grids of a key frame and of temporal tokens."""
        height, width = grid
        if self.layout == "slowfast-llava":
            key, time = (height, -(-width // 2)), (min(FAST_SIDE, height), min(FAST_SIDE, width))
        else:
            stride = self.key_stride or (1 if max(grid) <= COARSE_SIDE else 2)
            key, time = _strided(grid, stride), _strided(grid, 2 * stride)
        if self.key_stride is not None:
            key = _strided(grid, self.key_stride)
        if self.time_stride is not None:
            time = _strided(grid, self.time_stride)
        return key, time


def _strided(grid: tuple[int, int], stride: int) -> tuple[int, int]:
    return -(-grid[0] // stride), -(-grid[1] // stride)


def _one_frame(tokens: VideoTokens, frame: int, budget: int) -> TokenPlan:
    """Returns the plan that shows one frame alone, on the largest grid within a budget."""
    live = tokens.live[frame].cpu().view(1, *tokens.grid)
    grids = _pooling.layouts(1, *tokens.grid)
    plan = _pooling.pooled(live, next(e for e in grids if _pooling.filled(live, e) <= budget))
    plan = replace(plan, src=plan.src + frame * plan.tokens_per_frame, num_in=tokens.count)
    return plan.to(tokens.features.device)
