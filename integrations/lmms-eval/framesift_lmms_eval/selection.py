"""Frames for a question: by a selector, or by the times that a file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from framesift import VideoCompressor
from framesift.errors import BudgetError, InvalidOptionError
from framesift_lmms_eval.videos import Message, SelectedFrames, open_item


@dataclass(frozen=True, kw_only=True)
class FrameSelection:
    """How many frames of a video go to the model, and which."""

    compressor: VideoCompressor
    """Its `selector` chooses among frames sampled at its `fps`."""
    count: int = 32
    max_side_px: int | None = None
    """Longest side of the pictures; None for the display size."""

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise BudgetError(f"count={self.count!r} must be a number of frames from 1 up")
        if self.max_side_px is not None and self.max_side_px < 1:
            raise InvalidOptionError(
                f"max_side_px={self.max_side_px!r} must be at least 1 pixel, or None"
            )

    def frames(
        self, item: Message, question: str | None, times_seconds: Sequence[float] | None = None
    ) -> SelectedFrames:
        """Returns the frames of a video for one question.

        Args:
            item: the video in the harness's messages.
            question: for selectors that read it.
            times_seconds: ascending times whose frames are taken instead; a frame comes once.

        Raises:
            InvalidOptionError: the item is not a video that can be opened, or a time is negative.
            SourceError: the video cannot be brought.
            DecodeError: the file cannot be decoded.
        """
        side = self.max_side_px
        with open_item(item) as video:
            if times_seconds is None:
                kept = self.compressor.keyframes(video, self.count, question, max_side_px=side)
                return SelectedFrames(
                    images=tuple(frame.image for frame in kept),
                    seconds=tuple(frame.pts_seconds for frame in kept),
                )
            shown = self.compressor.frames(video, times_seconds, max_side_px=side)
            return SelectedFrames(
                images=tuple(Image.fromarray(pixels) for pixels in shown.data),
                seconds=tuple(shown.pts_seconds.tolist()),
            )
