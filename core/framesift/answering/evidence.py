"""Turns weights of visual tokens into evidence: stretches of a video with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from framesift.types.answer import Segment
from framesift.types.compressed import CompressedVideo

WeightKind = Literal["attention", "similarity"]
"""What the weights of visual tokens are: the answer's attention, or likeness to the question."""

MOST_SEGMENTS: Final = 3
"""Stretches that an answer names at most."""
ROUNDING: Final = 1e-9
"""Relative error that sums of weights may have."""
REASONS: Final[dict[WeightKind, str]] = {
    "attention": "attended to by the answer",
    "similarity": "similar to the question",
}


def find_segments(
    videos: Sequence[CompressedVideo],
    weights: Tensor,
    kind: WeightKind,
    *,
    count: int = MOST_SEGMENTS,
) -> list[Segment]:
    """Returns the stretches that hold the most weight, at most `count`, the heaviest first.

    The weight of a merged token goes to its frames by the plan. A stretch grows from the heaviest
    frame left to both sides, over frames of at least half its weight; one that begins at less than
    the average of the frames that own tokens is not named, unless it is the only one. Its box is
    the smallest that holds the heaviest cells which carry half of its weight.

    Args:
        videos: what the prompt held, in its order.
        weights: of the kept tokens of all videos, `(M,)`; below 0 counts as 0, and all as equal
            where nothing is above.
        kind: what the weights are, for the reason.
        count: most stretches.
    """
    weights = weights.cpu().double().clamp(min=0)
    weights = weights if float(weights.sum()) > 0 else torch.ones_like(weights)
    parts = (weights / weights.sum()).split([video.plan.num_out for video in videos])
    maps = [_Map.of(video, part) for video, part in zip(videos, parts, strict=True)]
    frames = sum(each.count for each in maps)
    heaviest = sorted(
        (stretch for one in maps for stretch in one.stretches(count)),
        key=lambda stretch: -stretch.peak_weight,
    )
    # Where all frames weigh the same, rounding must not decide.
    least = (1 - ROUNDING) / frames
    named = [each for n, each in enumerate(heaviest) if n == 0 or each.peak_weight >= least]
    return sorted(
        (each.segment(REASONS[kind]) for each in named[:count]), key=lambda s: -(s.score or 0)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Neighbouring frames of one video."""

    map: _Map
    first: int
    last: int
    peak: int

    @property
    def peak_weight(self) -> float:
        return float(self.map.frames[self.peak])

    def segment(self, reason: str) -> Segment:
        """Returns the stretch as it is shown to people."""
        video, report = self.map.video, self.map.video.report
        times = video.frame_seconds
        # Where frames were selected, the first of them is not the first of the video.
        sampled = times if report.selection is None else report.selection.candidate_seconds
        start, end = report.part_seconds or (0.0, float(sampled[0]) + report.duration_seconds)
        ends = [*times[1:].tolist(), end]
        share = float(self.map.frames[self.first : self.last + 1].sum())
        return Segment(
            uri=report.uri,
            # The first frame of a part is the one shown when the part begins.
            start_seconds=round(max(start, float(times[self.first])), 3),
            end_seconds=round(max(ends[self.last], float(times[self.last])), 3),
            keyframe_seconds=round(float(times[self.peak]), 3),
            reason=f"{reason}: {share:.0%} of the weight",
            score=round(share, 6),
            box=self._box(),
        )

    def _box(self) -> tuple[float, float, float, float]:
        cells = self.map.cells(self.first, self.last)
        order = torch.argsort(cells, descending=True, stable=True)
        # The last cell that is needed to reach half.
        enough = int((cells[order].cumsum(0) < cells.sum() / 2).sum()) + 1
        heaviest = self.map.boxes()[order[:enough]]
        box = *heaviest[:, :2].amin(0).tolist(), *heaviest[:, 2:].amax(0).tolist()
        left, top, right, bottom = (round(min(max(edge, 0.0), 1.0), 4) for edge in box)
        return left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class _Map:
    """The weight of each input token that a plan reads, float64 `(E,)`."""

    video: CompressedVideo
    entries: Tensor
    frames: Tensor
    """Weight of each frame, float64 `(T,)`; a still picture is one, whatever views it has."""

    @property
    def count(self) -> int:
        """How many frames own a token."""
        plan = self.video.plan
        if self.video.report.picture:
            return 1
        return len((plan.src // plan.tokens_per_frame).unique())

    @classmethod
    def of(cls, video: CompressedVideo, weights: Tensor) -> _Map:
        plan = video.plan
        entries = weights[plan.dst] * plan.normalized().weight
        if video.report.picture:
            return cls(video=video, entries=entries, frames=entries.sum()[None])
        frames = torch.zeros(plan.num_in // plan.tokens_per_frame, dtype=torch.float64)
        frames.index_add_(0, plan.src // plan.tokens_per_frame, entries)
        return cls(video=video, entries=entries, frames=frames)

    def stretches(self, count: int) -> list[_Stretch]:
        """Returns up to `count` stretches that do not overlap, the one of highest peak first."""
        free, stretches = self.frames.clone(), list[_Stretch]()
        while len(stretches) < count and float(free.max()) > 0:
            peak = int(free.argmax())
            least = float(free[peak]) / 2
            first = last = peak
            while first > 0 and float(free[first - 1]) >= least:
                first -= 1
            while last + 1 < len(free) and float(free[last + 1]) >= least:
                last += 1
            free[first : last + 1] = 0
            stretches.append(_Stretch(map=self, first=first, last=last, peak=peak))
        return stretches

    def cells(self, first: int, last: int) -> Tensor:
        """Returns the weight of each cell of the grid in some frames, float64 `(N,)`.

        Of a picture these are the cells of all views, one after the other.
        """
        plan = self.video.plan
        if self.video.report.picture:
            weights = torch.zeros(plan.num_in, dtype=torch.float64)
            return weights.index_add_(0, plan.src, self.entries)
        frame = plan.src // plan.tokens_per_frame
        within = (frame >= first) & (frame <= last)
        cells = torch.zeros(plan.tokens_per_frame, dtype=torch.float64)
        return cells.index_add_(0, plan.src[within] % plan.tokens_per_frame, self.entries[within])

    def boxes(self) -> Tensor:
        """Returns where the cells lie in the picture, `(x0, y0, x1, y1)` each, float64 `(N, 4)`."""
        report = self.video.report
        height, width = report.grid
        regions = torch.tensor(report.views or [report.region], dtype=torch.float64)
        cell = torch.arange(height * width)
        place = torch.stack([cell % width, cell // width], dim=1).repeat(1, 2)
        place[:, 2:] += 1
        start, stop = regions[:, None, :2].repeat(1, 1, 2), regions[:, None, 2:].repeat(1, 1, 2)
        step = (stop - start) / torch.tensor([width, height, width, height])
        return (start + place * step).flatten(0, 1)
