"""Segments of a video in which some places stand still and become one token over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies._rows import PlanRows
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRun:
    """Frames `start` to `stop`, the latter not among them."""

    start: int
    stop: int
    still: Tensor
    """Places that stand still over the segment, bool `(N,)` on the CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tokens of one segment, or of one frame of it, that are reduced together."""

    start: int
    stop: int
    places: Tensor
    """Places on the grid, int64, ascending `(n,)`; over several frames each is one point."""

    def points(self, tokens: VideoTokens) -> Tensor:
        """Returns the mean over the group's frames of each place, float64 `(n, D)`."""
        places = self.places.to(tokens.features.device)
        total = tokens.features[self.start, places].double()
        for frame in stoppable(tokens.features[self.start + 1 : self.stop]):
            total = total + frame[places]
        return _ops.divided(total, self.stop - self.start)

    def add_to(
        self, rows: PlanRows, row: Tensor, chosen: Tensor, weight: Tensor, count: int
    ) -> None:
        """Adds `count` rows made of the places that are `chosen`.

        Args:
            rows: where the rows go.
            row: row of each chosen place, `(m,)`.
            chosen: positions in `places`, `(m,)`.
            weight: what each chosen place counts, float64 `(m,)`; its frames share it.
            count: number of rows.
        """
        patches = rows.tokens.tokens_per_frame
        frames = torch.arange(self.start, self.stop, device=chosen.device)[:, None]
        source = frames * patches + self.places.to(chosen.device)[chosen]
        rows.add(row, source, _ops.divided(weight, len(frames)), count=count)


def groups(segments: Sequence[FrameRun], live: Tensor) -> list[Group]:
    """Returns in time order the still places of each segment, then the others of each frame.

    Args:
        segments: they cover the video.
        live: tokens that take part, bool `(T, N)` on the CPU.
    """
    everything = []
    for segment in segments:
        everything.append(_group(segment.start, segment.stop, segment.still))
        for frame in range(segment.start, segment.stop):
            everything.append(_group(frame, frame + 1, live[frame] & ~segment.still))
    return [group for group in everything if len(group.places)]


def stillest(likeness: Tensor, lengths: Tensor, *, threshold: float, allowed: int) -> Tensor:
    """Returns which places of each segment stand still, bool `(S, N)`.

    They are above `threshold`, and no more of them than may be saved: the most alike come first,
    on a tie those of the earlier segment and place, so that a static video is still in part.

    Args:
        likeness: of each place of each segment, `(S, N)` on the CPU.
        lengths: frames of each segment `(S,)`.
        threshold: a place moves where its likeness is not above it.
        allowed: most tokens that may be saved; a place that stands still saves all but one.
    """
    order = torch.argsort(likeness.flatten(), descending=True, stable=True)
    above = likeness.flatten()[order] > threshold
    saves = (lengths - 1)[:, None].expand_as(likeness).flatten()[order]
    fits = (saves * above).cumsum(0) <= allowed
    return torch.zeros_like(above).index_copy_(0, order, above & fits).view_as(likeness)


def to_next(tokens: VideoTokens) -> Tensor:
    """Returns the cosine of each token to the one after it at its place, float64 `(T - 1, N)`.

    It is on the CPU, and `_ops.NEVER` where one of the two takes no part.
    """
    pairs = zip(tokens.features[:-1], tokens.features[1:], strict=True)
    alike = [_ops.similarity(a.double(), b.double()) for a, b in stoppable(pairs)]
    if not alike:
        return torch.zeros(0, tokens.tokens_per_frame, dtype=torch.float64)
    both = tokens.live[1:] & tokens.live[:-1]
    return torch.stack(alike).masked_fill(~both, _ops.NEVER).cpu()


def _group(start: int, stop: int, mask: Tensor) -> Group:
    return Group(start=start, stop=stop, places=mask.nonzero().flatten())
