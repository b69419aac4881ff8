"""What comes out of a stream of frames whose end is not known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from framesift.types.pickling import PickledOnCpu
from framesift.types.plan import TokenPlan
from framesift.types.segments import SegmentTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedSegment(PickledOnCpu):
    """A segment of a stream that is closed: which frames it has, and what its tokens stand for."""

    tokens: SegmentTokens
    """Its times, and how many of its tokens show the key frame."""
    frames: tuple[int, ...]
    """Numbers of its `F` frames in the stream, ascending."""
    frame_seconds: Tensor
    """Their times, float64 `(F,)` on the CPU."""
    grid: tuple[int, int]
    """Patch grid `(h, w)` of a frame."""
    plan: TokenPlan
    """From the tokens of its first to its last frame in the stream to the `M` that came out, on the
    CPU. Frames between these that are not among `frames` were left out."""

    @property
    def pts_seconds(self) -> Tensor:
        """Mean time of each token, float64 `(M,)`."""
        place = torch.searchsorted(torch.tensor(self.frames), self._number)
        return self.plan.mean(self.frame_seconds[place][:, None]).flatten()

    @property
    def positions(self) -> Tensor:
        """Mean (frame of the stream, row, column) of each token, float32 `(M, 3)`."""
        patch = self.plan.src % self.plan.tokens_per_frame
        place = torch.stack([self._number, patch // self.grid[1], patch % self.grid[1]], dim=1)
        return self.plan.mean(place.float())

    @property
    def _number(self) -> Tensor:
        """Number of the frame of each entry of the plan in the stream, int64 `(E,)`."""
        return self.plan.src // self.plan.tokens_per_frame + self.frames[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedTokens(PickledOnCpu):
    """What came out of a stream when a frame was pushed."""

    features: Tensor
    """Tokens `(M, D)`. Those of a frame are unchanged; none where it repeats what was kept before.
    Those of a segment come with its last frame; none with the others."""
    patches: Tensor
    """Their places in a frame, int64 `(M,)`: of a frame ascending, of a segment those of the tokens
    that count most in each."""
    pts_seconds: float
    """Time of the frame that was pushed."""
    frame: int
    """Number of that frame in the stream, from 0."""
    segment: StreamedSegment | None = None
    """The segment whose tokens these are; None for tokens of one frame, and for none."""
