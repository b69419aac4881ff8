"""Slow-fast layouts: the segments of a video, and the tokens that each cell of theirs stands for.

Segments of four frames, of each the first one as key frame:

    frames    0 1 2 3     4 5 6 7     8
    key       0           4           8         each on the key grid, such as 14 x 14
    temporal    1 2 3       5 6 7     -         the others together on the time grid, such as 7 x 7

Key frames may count in the temporal tokens, too. A cell holds the patches of a window of adaptive
average pooling. The plan is that of their means; a network may compute what its temporal rows hold
instead, from the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, Literal

import torch
from torch import Tensor

from framesift.strategies._pooling import cells
from framesift.strategies._rows import averaged
from framesift.types.plan import TokenPlan
from framesift.types.row_order import row_order
from framesift.types.segments import SegmentTokens
from framesift.types.tokens import VideoTokens

Remainder = Literal["key_only", "repeat", "merge"]
FEWEST_FOR_TIME: Final = 2
"""Frames that a segment holds at least for temporal tokens of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSegment:
    """Some consecutive frames; numbers are those of frames in the video."""

    frames: tuple[int, ...]
    """All of its frames, ascending."""
    key: int
    """The one that is shown on the key grid."""
    temporal: tuple[int, ...]
    """Those whose tokens make up its temporal tokens; none where it has no such tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowFastRows:
    """The rows of a slow-fast layout as a plan of means, with what each of its `M` rows is.

    Key rows of a segment stand before its temporal rows, except where the key frame is not an
    earlier one than the mean of its segment.
    """

    plan: TokenPlan
    segments: tuple[FrameSegment, ...]
    segment: Tensor
    """Place in `segments` of each row's segment, int64 `(M,)`, ascending."""
    is_key: Tensor
    """Rows of key frames, bool `(M,)`; the others are temporal."""
    cell: Tensor
    """Cell of each row in the key grid or in the time grid, in raster order, int64 `(M,)`."""

    def timed(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the frames of the `S` segments with temporal rows, as a network takes them.

        A frame stands at its place in the segment; behind the last one stand frames that take no
        part.

        Returns:
            Numbers of frames, int64 `(S, F)`; which of them make up the temporal tokens, bool
            `(S, F)`; and the place of each of `segments` among the `S`, int64, -1 for those
            without temporal rows. All on the CPU.
        """
        own = [number for number, segment in enumerate(self.segments) if segment.temporal]
        longest = max((len(self.segments[number].frames) for number in own), default=1)
        frame = torch.zeros(len(own), longest, dtype=torch.int64)
        taken = torch.zeros(len(own), longest, dtype=torch.bool)
        place = torch.full((len(self.segments),), -1)
        place[own] = torch.arange(len(own))
        for row, number in enumerate(own):
            segment = self.segments[number]
            size = len(segment.frames)
            frame[row, :size] = torch.tensor(segment.frames)
            taken[row, :size] = torch.tensor([each in segment.temporal for each in segment.frames])
        return frame, taken, place

    def segment_tokens(self, tokens: VideoTokens) -> list[SegmentTokens]:
        """Returns what the rows of each segment stand for, with the times of the tokens."""
        count = len(self.segments)
        each = self.segment.bincount(minlength=count).tolist()
        of_key = self.segment[self.is_key].bincount(minlength=count).tolist()
        first = last = tokens.pts_seconds.double()
        if tokens.step_seconds is not None:
            last = tokens.step_seconds[:, -1].double()
        return [
            SegmentTokens(
                start_seconds=float(first[segment.frames[0]]),
                end_seconds=float(last[segment.frames[-1]]),
                key_seconds=float(first[segment.key]),
                frames=len(segment.frames),
                key_tokens=of_key[number],
                temporal_tokens=each[number] - of_key[number],
            )
            for number, segment in enumerate(self.segments)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowFastLayout:
    """Which frames make a segment, and on which grids they are shown."""

    grid: tuple[int, int]
    """Patch grid `(h, w)` of a frame."""
    key_grid: tuple[int, int]
    """Cells of a key frame."""
    time_grid: tuple[int, int]
    """Cells of the temporal tokens, of a segment or of each frame."""
    segment: int = 4
    """Frames of a segment."""
    remainder: Remainder = "key_only"
    """What becomes of a single frame behind the last whole segment."""
    include_key: bool = True
    """Whether the key frame counts in the temporal tokens, too."""
    per_frame: bool = False
    """Whether each frame has temporal tokens of its own, not the segment together."""

    def sizes(self, frames: int) -> list[int]:
        """Returns the number of frames of each segment of a video."""
        whole, rest = divmod(frames, self.segment)
        if rest == 1 and whole and self.remainder == "merge":
            return [self.segment] * (whole - 1) + [self.segment + 1]
        return [self.segment] * whole + ([rest] if rest else [])

    def count(self, frames: int) -> int:
        """Returns the number of rows of a video without masked tokens, `N(T)`."""
        per_key, per_time = (side[0] * side[1] for side in (self.key_grid, self.time_grid))
        sizes = self.sizes(frames)
        if self.per_frame:
            shown = frames if self.include_key else frames - len(sizes)
        else:
            shown = sum(self._has_time(size) for size in sizes)
        return per_key * len(sizes) + per_time * shown

    def most_frames(self, frames: int, budget: int) -> int:
        """Returns the largest number up to `frames` whose rows fit a budget; 0 if none does."""
        low, high = 0, frames
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.count(middle) <= budget else (low, middle - 1)
        return low

    def segments(
        self, frames: Sequence[int], keys: Sequence[int] | None = None
    ) -> tuple[FrameSegment, ...]:
        """Returns the segments of frames in time order.

        Args:
            frames: ascending numbers of frames.
            keys: the key frame of each segment; None for the first frame of each.
        """
        sizes = self.sizes(len(frames))
        found = []
        for number, (stop, size) in enumerate(zip(accumulate(sizes), sizes, strict=True)):
            own = tuple(frames[stop - size : stop])
            key = own[0] if keys is None else keys[number]
            found.append(FrameSegment(frames=own, key=key, temporal=self._temporal(own, key)))
        return tuple(found)

    def rows(
        self,
        segments: Sequence[FrameSegment],
        frames: int,
        live: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> SlowFastRows:
        """Returns the rows of segments; a cell without a live token has none.

        Args:
            segments: in time order, without a frame in common.
            frames: those of the whole video.
            live: tokens that take part, bool `(T, N)` on `device`; None for all.
            device: where the plan is to be.
        """
        patches, most = (
            self.grid[0] * self.grid[1],
            max(_size(self.key_grid), _size(self.time_grid)),
        )
        groups, parts = _groups(segments, self.per_frame)
        # One code for each cell of each group, and the tokens that belong to it.
        codes, sources = [], []
        for is_key, grid in ((True, self.key_grid), (False, self.time_grid)):
            cell, patch = (each.to(device) for each in cells(self.grid, grid))
            own = torch.tensor([part for part in parts if groups[part[0]][1] == is_key])
            group, frame = own.reshape(-1, 2).long().to(device).T[..., None]
            codes.append((group * most + cell).flatten())
            sources.append((frame * patches + patch).flatten())
        code, src = torch.cat(codes), torch.cat(sources)
        if live is not None:
            taken = live.flatten()[src]
            code, src = code[taken], src[taken]
        row_codes, dst = code.unique(return_inverse=True)
        weight, count = averaged(dst, len(row_codes)), len(row_codes)
        entries: dict[str, Any] = {"dst": dst, "src": src, "weight": weight, "num_out": count}
        row_codes = row_codes[row_order(**entries, tokens_per_frame=patches)]
        owner, is_key_group = torch.tensor(groups).to(device).T[:, row_codes // most]
        return SlowFastRows(
            plan=TokenPlan.from_entries(
                **entries, num_in=frames * patches, tokens_per_frame=patches
            ),
            segments=tuple(segments),
            segment=owner,
            is_key=is_key_group.bool(),
            cell=row_codes % most,
        )

    def _has_time(self, size: int) -> bool:
        return size >= FEWEST_FOR_TIME or self.remainder == "repeat"

    def _temporal(self, frames: tuple[int, ...], key: int) -> tuple[int, ...]:
        """Returns the frames of a segment whose tokens make up its temporal tokens."""
        if self.per_frame:
            return frames if self.include_key else tuple(each for each in frames if each != key)
        if not self._has_time(len(frames)):
            return ()
        if self.include_key or len(frames) == 1:
            return frames
        return tuple(each for each in frames if each != key)


def _size(grid: tuple[int, int]) -> int:
    return grid[0] * grid[1]


def _groups(
    segments: Sequence[FrameSegment], per_frame: bool
) -> tuple[list[tuple[int, bool]], list[tuple[int, int]]]:
    """Returns groups of rows, and the frames of each.

    The groups are `(segment, is_key)` each, those of key frames first in their segment; the frames
    are `(group, frame)`.
    """
    groups: list[tuple[int, bool]] = []
    parts = []
    for number, segment in enumerate(segments):
        parts.append((len(groups), segment.key))
        groups.append((number, True))
        for place, frame in enumerate(segment.temporal):
            if per_frame or place == 0:
                groups.append((number, False))
            parts.append((len(groups) - 1, frame))
    return groups, parts
