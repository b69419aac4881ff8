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


def frames_together(video: CompressedVideo, segmented: SegmentedFrames) -> Indices:
    """Returns for how many frames the tokens besides those of the key frame stand, `(S,)`.

    These are all frames of a segment, or all but the key frame, where no such token holds any of
    it.

    Args:
        video: its plan, and a report that has segments.
        segmented: its frames by segment.
    """
    plan, segments = video.plan, video.report.segments or []
    frame = (plan.src // plan.tokens_per_frame).numpy()
    of_key = np.bincount(plan.dst.numpy(), segmented.in_detail[frame], plan.num_out)
    entries = np.bincount(plan.dst.numpy(), minlength=plan.num_out)
    segment = segmented.number[plan.sources.numpy() // plan.tokens_per_frame]
    mixed = np.unique(segment[(of_key > 0) & (of_key < entries)])
    alone = np.bincount(segment[of_key == entries], minlength=len(segments))
    return np.array(
        [
            each.frames - (each.frames > 1 and number not in mixed and count <= each.key_tokens)
            for number, (each, count) in enumerate(zip(segments, alone, strict=True))
        ]
    )
