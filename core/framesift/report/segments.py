"""Which segment each sampled frame belongs to, and what the tokens of a segment stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from framesift.types.compressed import CompressedVideo

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedFrames:
    """The sampled frames `(T,)` of a video whose strategy works on segments."""

    number: Indices
    """Segment of each frame, from 0; -1 for a frame that no token stands for."""
    in_detail: Mask
    """Whether a frame is the key frame of its segment."""

    @classmethod
    def of(cls, video: CompressedVideo) -> Self | None:
        """Returns the frames of a video by segment; None where its report has no segments."""
        if video.report.segments is None:
            return None
        seconds = video.frame_seconds.numpy()
        taken = video.plan.used.view(len(seconds), -1).any(1).numpy()
        number, in_detail = np.full(len(seconds), -1), np.zeros(len(seconds), dtype=bool)
        for place, segment in enumerate(video.report.segments):
            first = np.searchsorted(seconds, segment.start_seconds)
            frames = slice(first, np.searchsorted(seconds, segment.end_seconds, side="right"))
            number[frames] = np.where(taken[frames], place, -1)
            in_detail[frames] = taken[frames] & (seconds[frames] == segment.key_seconds)
        return cls(number=number, in_detail=in_detail)
