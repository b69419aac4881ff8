"""One look at a video: what one setting keeps of it, as a piece of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import PackageLoader
from PIL import Image, ImageDraw

import framesift
from framesift.playground.setting import Setting
from framesift.report.environment import FRAME_PX, environment
from framesift.report.figures import frame_figures, picked_frames, segment_figures, shown_seconds
from framesift.report.page import elapsed
from framesift.report.timeline import timeline
from framesift.vlms.base import VLM

MOST_FRAMES: Final = 24
"""Frames shown of one look; the report of the command shows more."""
MARK: Final = "#f2a93b"
TEMPLATES: Final = PackageLoader("framesift.playground")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one setting keeps of a video, with the pictures to show it."""

    sift: framesift.VideoCompressor
    video: framesift.CompressedVideo
    frames: framesift.Frames
    keyframes: Sequence[framesift.Keyframe]

    @classmethod
    def at(cls, local: framesift.LocalVideo, setting: Setting, vlm: VLM) -> Look:
        """Returns the look that a setting gives.

        Raises:
            FramesiftError: an option is wrong, or the video cannot be read.
        """
        sift = setting.sift(vlm)
        notes: list[str] = []
        video = sift.compress(local, setting.question, warn=notes.append)
        chosen = sift.select(local, setting.count, setting.question, warn=notes.append)
        keyframes = picked_frames(chosen, sift.frames(local, chosen.picked_seconds))
        times = shown_seconds(video, chosen.picked_seconds, limit=MOST_FRAMES)
        frames = sift.frames(local, times, max_side_px=FRAME_PX, warn=notes.append)
        return cls(sift=sift, video=video, frames=frames, keyframes=keyframes)

    def html(self, dollars_per_million: float) -> str:
        """Returns it for the page.

        Args:
            dollars_per_million: price of a million tokens that a model reads.
        """
        video, report = self.video, self.video.report
        figures = frame_figures(
            video, self.frames, self.keyframes, limit=MOST_FRAMES, size_px=FRAME_PX
        )
        saved = (report.tokens_in - report.tokens_out) * dollars_per_million / 1e6
        return (
            environment(video, TEMPLATES, plays=True)
            .get_template("look.html.j2")
            .render(
                report=report,
                seconds=elapsed(report.seconds),
                saved=saved,
                dollars_per_million=dollars_per_million,
                line=timeline(video),
                keyframes=self.keyframes,
                figures=figures,
                segments=segment_figures(video, figures),
                frames_used=int(video.plan.used.view(len(video.frame_seconds), -1).any(1).sum()),
                merging=not video.plan.is_pruning,
            )
        )

    def answer_html(self, local: framesift.LocalVideo, question: str) -> str:
        """Returns the answer of the model, with what it rests on drawn on the frames.

        Raises:
            FramesiftError: the question is empty, or does not fit.
        """
        seen = local if self.sift.reads_question else self.video
        answer = self.sift.ask(seen, question)
        moments = self.sift.pictured(local, answer.evidence)
        evidence = [
            (moment.segment, marked(moment.keyframe.image, moment.segment.box))
            for moment in moments
            if moment.keyframe is not None
        ]
        return (
            environment(self.video, TEMPLATES, plays=True)
            .get_template("answer.html.j2")
            .render(answer=answer, evidence=evidence, strategy=self.video.report.strategy)
        )


def marked(image: Image.Image, box: tuple[float, float, float, float] | None) -> Image.Image:
    """Returns a copy of a picture with a frame around the part that `box` means."""
    picture = image.convert("RGB")
    if box is not None:
        width, height = picture.size
        corners = (box[0] * width, box[1] * height, box[2] * width - 1, box[3] * height - 1)
        ImageDraw.Draw(picture).rectangle(corners, outline=MARK, width=max(3, width // 120))
    return picture
