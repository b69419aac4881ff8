"""Picks the frames of a video that are sent in its place, once for each content."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from framesift import FetchLimits, Keyframe, VideoCompressor, selectors
from framesift.export import openai_content
from framesift.serving import Remembered, clock, length_seconds
from framesift_server.gateway.chat_body import Video
from framesift_server.gateway.knobs import Knobs
from framesift_server.gateway.settings import GatewaySettings
from framesift_server.metering import Meter
from framesift_server.workers import Workers

LINE: Final = "frames"
"""The line of work in which requests wait whose videos were not seen before, the first of several;
and the kind of their work."""
KEPT: Final = 64
"""Videos whose frames are remembered."""


def free_line(workers: Workers, lines: int) -> str:
    """Returns the line in which the fewest requests are."""
    names = [LINE, *(f"{LINE} {number}" for number in range(2, lines + 1))]
    return min(names, key=lambda name: workers.inside[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """The frames of one video, ready to be sent."""

    parts: list[dict[str, Any]] = field(repr=False)
    """Times and pictures of a message, in turn."""
    times_seconds: list[float]
    duration_seconds: float
    frames_in: int
    """Frames that the video has at the rate of the request."""
    tokens_each: int
    """Visual tokens of one picture, as it is counted here."""

    @property
    def tokens_in(self) -> int:
        """Visual tokens of all frames at the rate and size of the request."""
        return self.frames_in * self.tokens_each

    @property
    def tokens_out(self) -> int:
        """Visual tokens of the frames that are sent."""
        return len(self.times_seconds) * self.tokens_each

    @property
    def pictures(self) -> list[str]:
        """The data: URIs of the pictures."""
        return [part["image_url"]["url"] for part in self.parts if part["type"] == "image_url"]

    def content(self) -> list[dict[str, Any]]:
        """Returns what stands in a message in the place of the video."""
        count, length = len(self.times_seconds), clock(self.duration_seconds)
        line = f"A video of {length}: {count} of its frames in order, each after its time."
        return [{"type": "text", "text": line}, *self.parts]


class Picker:
    """Picks frames; threads may share it."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._limits = FetchLimits.untrusted(
            max_bytes=settings.max_fetch_bytes, max_pixels=settings.max_pixels
        )
        self._picked = Remembered(KEPT)

    def known(self, videos: Sequence[Video], knobs: Knobs, question: str) -> list[Picked] | None:
        """Returns the frames of videos that were all seen before; None where one was not."""
        found = [self._picked.get(self._key(video, knobs, question)) for video in videos]
        return None if None in found else found

    def pick(
        self, videos: Sequence[Video], knobs: Knobs, question: str, meter: Meter
    ) -> list[Picked]:
        """Returns the frames of each video; takes its time for those that were not seen before.

        Raises:
            FramesiftError: a video cannot be had or read.
        """
        with meter.running():
            found = [self._pick(video, knobs, question) for video in videos]
            milliseconds = round(1000 * sum(each.duration_seconds for each in found))
            tokens_in, tokens_out = (
                sum(getattr(each, side) for each in found) for side in ("tokens_in", "tokens_out")
            )
            meter.note(video_milliseconds=milliseconds, tokens_in=tokens_in, tokens_out=tokens_out)
        return found

    def _pick(self, video: Video, knobs: Knobs, question: str) -> Picked:
        key = self._key(video, knobs, question)
        if (known := self._picked.get(key)) is not None:  # another request was faster
            return known  # type: ignore[no-any-return]
        fps = video.media.fps or knobs.fps
        sift = VideoCompressor(selector=knobs.selector, fps=fps, limits=self._limits)
        asked = question if key[-1] else None
        with video.open(self._limits, synthetic=self._settings.allow_synthetic) as local:
            seconds = length_seconds(local)
            frames = sift.keyframes(local, knobs.frames, asked, max_side_px=knobs.max_side_px)
        made = self._made(frames, seconds, fps)
        self._picked.keep(key, made)
        return made

    def _made(self, frames: Sequence[Keyframe], seconds: float, fps: float) -> Picked:
        width, height = frames[0].image.size
        side = self._settings.token_px
        return Picked(
            parts=openai_content(frames, "-")[:-1],
            times_seconds=[frame.pts_seconds for frame in frames],
            duration_seconds=seconds,
            frames_in=max(len(frames), math.ceil(seconds * fps)),
            tokens_each=math.ceil(width / side) * math.ceil(height / side),
        )

    def _key(self, video: Video, knobs: Knobs, question: str) -> tuple[object, ...]:
        reads = selectors.registry.create(knobs.selector).reads_question
        facts = (knobs.frames, knobs.max_side_px, knobs.fps, knobs.selector)
        return video.key, *facts, question if reads else None
