"""A stretch of a video together with its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from framesift.types.answer import Segment
from framesift.types.compressed import Keyframe


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of a video with the frame that stands for it."""

    segment: Segment
    """Start, end, spoken text, and why it was kept."""
    keyframe: Keyframe | None
    """The frame that stands for it; None where a compressed video's file is out of reach."""

    def metadata(self) -> dict[str, Any]:
        """Returns everything but the pixels, JSON-safe."""
        return self.segment.model_dump(mode="json")
