"""Segments of a video with the pictures that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Final

from PIL import Image

from framesift.compression.colors import standing_out
from framesift.compression.keyframes import KeyframePicker
from framesift.compression.opening import FrameReader, Video
from framesift.compression.segment_texts import texts_between
from framesift.decoders.sampling import at_times, covered
from framesift.errors import BudgetError, DecodeError, SourceError
from framesift.run import Run
from framesift.types.answer import Segment
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.moment import Moment
from framesift.types.options import number, side_px, whole
from framesift.types.video import LocalVideo

SECONDS_PER_SEGMENT: Final = 15.0
"""How much of a video one segment covers on average, unless a count is given."""
SHORTEST_SECONDS: Final = 1e-3
LONGEST_SECONDS: Final = 1e9
"""How much of a video one segment may cover on average."""
ROUNDED_SECONDS: Final = 5e-4
"""By how much the times of segments, which have three decimals, may be early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentFinder:
    """Finds the segments that cover a video, and the pictures of segments that are known."""

    picker: KeyframePicker

    def covering(
        self,
        video: Video,
        count: int | None,
        seconds_each: float,
        question: str | None,
        max_side_px: int | None,
        run: Run,
    ) -> list[Moment]:
        """Returns `count` moments that cover the video, or as many as `seconds_each` gives."""
        count = None if count is None else whole("count", count, "segment", error=BudgetError)
        seconds_each = number(
            "seconds_each", seconds_each, low=SHORTEST_SECONDS, high=LONGEST_SECONDS, unit="seconds"
        )
        max_side_px = side_px(max_side_px)
        with self.picker.opener.open(video, run) as reader:
            start, end = covered(reader.index.info, reader.local.part_seconds)
            most = max(1, round((end - start) / seconds_each)) if count is None else count
            keyframes = self.picker.pick_from(reader, most, question, max_side_px)
            if count is not None and len(keyframes) < count:
                run.warn(
                    f"{count} segments were asked, and one is returned for each of the "
                    f"{len(keyframes)} sampled frames"
                )
            return _around(keyframes, reader, start, end)

    def pictured(
        self, video: Video, segments: Sequence[Segment], max_side_px: int | None, run: Run
    ) -> list[Moment]:
        """Returns segments with their pictures; one whose frame is not readable is left out.

        Those of a compressed video whose file is gone, or is another one now, have no pictures.
        """
        max_side_px = side_px(max_side_px)
        try:
            with self.picker.opener.open(video, run) as reader:
                reader.check_same()
                return _read_pictures(reader, segments, max_side_px)
        except (SourceError, DecodeError) as error:
            if not isinstance(video, CompressedVideo):
                raise
            run.warn(f"pictures were left out, since their video cannot be opened: {error}")
            return [Moment(segment=segment, keyframe=None) for segment in segments]


def _around(
    keyframes: Sequence[Keyframe], reader: FrameReader, start: float, end: float
) -> list[Moment]:
    """Returns moments that cover a video from `start` to `end`, each around a keyframe.

    Two keyframes share the border halfway between them:

        start --- keyframe ---|--- keyframe ---|--- keyframe --- end
    """
    local = reader.local
    middles = [(a.pts_seconds + b.pts_seconds) / 2 for a, b in pairwise(keyframes)]
    # Lines before the first and after the last frame of a whole video belong to it, too.
    first, last = (-inf, inf) if local.part_seconds is None else (start, end)
    texts = texts_between(reader.lines, [first, *middles, last])
    colors = standing_out([keyframe.image for keyframe in keyframes])
    bounds = pairwise([start, *middles, end])
    return [
        Moment(segment=_segment(local, keyframe, bound, text, names), keyframe=keyframe)
        for keyframe, bound, text, names in zip(keyframes, bounds, texts, colors, strict=True)
    ]


def _segment(
    local: LocalVideo,
    keyframe: Keyframe,
    bound: tuple[float, float],
    texts: tuple[str, str],
    colors: tuple[str, ...],
) -> Segment:
    """Returns the segment within `bound` seconds."""
    start, end = bound
    return Segment(
        uri=local.uri,
        start_seconds=round(start, 3),
        end_seconds=round(end, 3),
        keyframe_seconds=round(keyframe.pts_seconds, 3),
        text=texts[0],
        screen_text=texts[1],
        reason=keyframe.reason,
        colors=colors,
        # A last picture stays on into further chapters.
        **facts_at(local, max(keyframe.pts_seconds, start)),
    )


def facts_at(local: LocalVideo, seconds: float) -> dict[str, str | None]:
    """Returns what a segment says of its video, and of the chapter at a time, by field."""
    chapters = (c.text for c in local.chapters if c.start_seconds <= seconds < c.end_seconds)
    return {
        "title": local.title,
        "chapter": next(chapters, "") or None,
        "uploader": local.uploader,
        "date": local.date,
        "description": local.description,
    }


def _read_pictures(
    reader: FrameReader, segments: Sequence[Segment], max_side_px: int | None
) -> list[Moment]:
    """Returns each segment with the frame that stands for it, where that can be decoded."""
    # Times of segments are rounded, and a frame is not shown before its own time.
    times = [segment.keyframe_seconds + ROUNDED_SECONDS for segment in segments]
    shown = [at_times(reader.index, [time])[0] for time in times]
    pictures = {
        frame: pixels
        for window in reader.pictures(sorted(set(shown)), max_side_px)
        for pixels, frame in zip(window.data, window.indices.tolist(), strict=True)
    }
    return [
        Moment(
            segment=segment,
            keyframe=Keyframe(
                image=Image.fromarray(pictures[frame]),
                pts_seconds=float(reader.index.pts_seconds[frame]),
                score=segment.score or 0.0,
                reason=segment.reason,
            ),
        )
        for segment, frame in zip(segments, shown, strict=True)
        if frame in pictures
    ]
