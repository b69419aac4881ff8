"""Picks key frames of the stream, where its decoding can start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from framesift.decoders.base import FrameIndex
from framesift.decoders.sampling import covered
from framesift.scorers.candidates import Candidates
from framesift.selectors._fill import in_widest_gaps, nearest_to, part_middles
from framesift.selectors.base import Selection, Selector


@dataclass(frozen=True, kw_only=True)
class Iframe(Selector):
    """Picks key frames (I-frames) that are spread over the video, whatever rate was sampled.

    Many encoders set one at each cut and one every few seconds. Nothing is decoded to choose, and
    a key frame is decoded alone, without those before it. Where the stream has too few of them,
    sampled frames in the widest gaps make up the count; where the container does not say which
    frames are key frames, sampled ones are spread evenly.
    """

    summary: ClassVar[str] = "key frames of the stream, spread over time, no decoding"

    def candidates(
        self, index: FrameIndex, sampled: Sequence[int], part_seconds: tuple[float, float] | None
    ) -> Sequence[int]:
        """Returns the key frames of the part beside the sampled frames."""
        if index.is_keyframe is None:
            return sampled
        start, end = covered(index.info, part_seconds)
        pts = index.pts_seconds
        within = index.is_keyframe & (pts >= start) & (pts < end)
        return sorted({*np.flatnonzero(within).tolist(), *sampled})

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns key frames near the middles of `count` equal parts, others where they lack."""
        times = candidates.pts_seconds
        keys = _keyframes(candidates)
        wanted = part_middles(float(times[0]), float(times[-1]), count)
        reasons = dict.fromkeys(keys, "key frame")
        if len(keys) > count:
            near = nearest_to(times[keys].tolist(), wanted)
            reasons = {
                keys[place]: f"key frame nearest to part {part} of {count}"
                for part, place in enumerate(near, 1)
            }
        elif keys:
            more = in_widest_gaps(times, keys, count - len(keys))
            reasons |= dict.fromkeys(more, "no key frame, in the widest gap between others")
        else:
            near = nearest_to(times.tolist(), wanted)
            reasons = dict.fromkeys(near, "evenly spaced, as key frames are not known")
        picked = sorted(reasons)
        return Selection(
            indices=tuple(picked),
            scores=tuple(float(reasons[place].startswith("key frame")) for place in picked),
            reasons=tuple(reasons[place] for place in picked),
        )


def _keyframes(candidates: Candidates) -> list[int]:
    """Returns the places of candidates that are key frames; none where that is not known."""
    index, indices = candidates.index, candidates.indices
    if index is None or index.is_keyframe is None or indices is None:
        return []
    found: list[int] = np.flatnonzero(index.is_keyframe[list(indices)]).tolist()
    return found
