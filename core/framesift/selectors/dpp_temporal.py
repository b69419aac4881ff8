"""Shares a count of frames among segments of the video, and picks in each as a DPP does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.scorers.candidates import Candidates
from framesift.selectors._alike import Kernel, Relevance, frame_vectors, quality
from framesift.selectors._scored import Pick, Scored
from framesift.strategies import determinantal
from framesift.types.options import Count, EncoderSpec, Share

LEAST_GAIN: Final = determinantal.DEPENDENT[torch.float64]
"""What a frame counts for that adds nothing, so that its logarithm is finite."""


@dataclass(frozen=True, slots=True)
class _Path:
    """The best way found to pick some number of frames from the segments so far."""

    worth: float = 0.0
    """Logarithm of the determinant that they reach."""
    places: list[int] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class DppTemporal(Scored):
    """Picks the frames of a DPP segment by segment, the count of each by dynamic programming.

    The video is cut into segments of equal length. For every number of frames that the segments
    before may have taken, those of a segment are chosen greedily, given the ones of the segment
    before it; of all ways to a number, that of the largest determinant is kept (mDP3). So the
    budget goes where scores are high and pictures differ, and no part of the video is forgotten.

    Differences from the published method, whose code was not found: the count is exact, and a
    longer video has longer segments, not more of them: half as many as frames are picked, which is
    what 128 candidates of the paper give for 8 frames. With many more segments than frames, those
    that come first would win all ties.
    """

    summary: ClassVar[str] = "a DPP over segments, whose counts dynamic programming finds (mDP3)"

    encoder: EncoderSpec = "handcrafted"
    """What sees how alike frames are."""
    relevance: Relevance = 1.0
    """Weight of the score against being new: 0 leaves scores out."""
    spread: Share = 0.1
    """How far closeness in time counts as likeness: 0 for looks alone, 1 for time alone."""
    segment_frames: Count | None = None
    """Candidates in a segment; None for as many as make half as many segments as frames."""

    def pick(
        self, values: Tensor, pts_seconds: Tensor, count: int, candidates: Candidates | None = None
    ) -> list[Pick]:
        """Returns the frames of the best path, that of the largest gain first."""
        vectors = None
        if candidates is not None:
            vectors = frame_vectors(candidates.tokens(self.encoder))
        kernel = Kernel(vectors, pts_seconds, count, self.spread)
        weight = quality(values, self.relevance).square()
        paths: list[_Path | None] = [_Path(), *[None] * count]
        length = self.segment_frames or -(-len(values) // max(1, count // 2))
        before = torch.empty(0, dtype=torch.long)
        for places in stoppable(torch.arange(len(values)).split(length), "select"):
            paths = _extended(paths, before, places, kernel, weight)
            before = places
        best = paths[count]
        assert best is not None  # there are more candidates than frames to pick
        segments = [place // length for place in best.places]
        order = sorted(range(count), key=lambda one: -best.gains[one])
        return [
            Pick(
                best.places[one],
                f"one of {segments.count(segments[one])} of segment {segments[one] + 1}, "
                f"{best.gains[one] / float(weight[best.places[one]]):.0%} of it new",
            )
            for one in order
        ]


def _extended(
    paths: list[_Path | None], before: Tensor, places: Tensor, kernel: Kernel, weight: Tensor
) -> list[_Path | None]:
    """Returns the best path to each number of frames, now that one more segment may give some.

    Args:
        paths: the best one to each number so far, None where there are not as many frames.
        before: the segment before.
        places: the segment.
        kernel: how alike frames are.
        weight: squared quality of all frames `(T,)`.
    """
    first = int(before[0]) if len(before) else 0
    reached = [(number, path) for number, path in enumerate(paths) if path is not None]
    given = [[place for place in path.places if place >= first] for _, path in reached]
    most = min(len(places), len(paths) - 1)
    chosen, gains = _choices(given, places, kernel, weight, most)
    worth = gains.clamp_min(LEAST_GAIN).log().cumsum(1).mul(1e9).round().div(1e9).tolist()
    extended = list(paths)
    for row, (number, path) in enumerate(reached):
        for more in range(1, min(most, len(paths) - 1 - number) + 1):
            total, there = path.worth + worth[row][more - 1], extended[number + more]
            if there is None or total > there.worth:
                extended[number + more] = _Path(
                    total,
                    path.places + chosen[row][:more].tolist(),
                    path.gains + gains[row][:more].tolist(),
                )
    return extended


def _choices(
    given: list[list[int]], places: Tensor, kernel: Kernel, weight: Tensor, most: int
) -> tuple[Tensor, Tensor]:
    """Returns the `most` frames of a segment that a DPP chooses after each list of given frames.

    Returns:
        Their places, int64 `(B, most)`, and what each adds, float64 `(B, most)`.
    """
    width, segment = max(len(each) for each in given), len(places)
    # The frames of each batch: its given ones, stand-ins that are like nothing, and the segment.
    frames = torch.full((len(given), width + segment), -1)
    frames[:, width:] = places
    for batch, each in enumerate(given):
        frames[batch, : len(each)] = torch.tensor(each, dtype=torch.long)
    union = torch.tensor(sorted({place for each in given for place in each}), dtype=torch.long)
    union = torch.cat([union, places])
    columns = torch.searchsorted(union, frames.clamp_min(int(union[0])))
    known: dict[int, Tensor] = {}

    def rows(chosen: Tensor) -> Tensor:
        now = frames.gather(1, chosen)[:, 0]
        new = torch.tensor(sorted({*now.tolist()} - {*known, -1}), dtype=torch.long)
        known.update(zip(new.tolist(), kernel.block(union, new).T, strict=True))
        nothing = torch.zeros(len(union), dtype=torch.float64)
        row = torch.stack([known.get(place, nothing) for place in now.tolist()]).gather(1, columns)
        row.masked_fill_(frames < 0, 0.0)
        return row.scatter_(1, chosen, 1.0)

    weights = torch.ones_like(frames, dtype=torch.float64)
    weights[:, width:] = weight[places]
    live = torch.ones_like(frames, dtype=torch.bool)
    made = determinantal.greedy(
        rows, weights, live, count=width + most, given=width, stage="select"
    )
    local = made.places[:, width:] - width
    # What is chosen after a fresh start is a repetition, whatever it is worth alone.
    again = weight[places][local] * LEAST_GAIN
    return places[local], torch.where(made.process[:, width:] > 0, again, made.gains[:, width:])
