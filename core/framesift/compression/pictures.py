"""What is taken of a video as pictures: keyframes, stretches with theirs, and frames by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from framesift.compression import outcomes
from framesift.compression.steps import Stages, Video, file_of
from framesift.decoders.base import Decoder, FrameIndex
from framesift.decoders.sampling import ascending, at_fps, at_times, covered
from framesift.errors import BudgetError, DecodeError, InvalidOptionError, SourceError
from framesift.fetching.limits import FetchLimits
from framesift.run import Run
from framesift.selectors.base import Selector
from framesift.types.answer import Segment
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.frames import Frames
from framesift.types.moment import Moment
from framesift.types.options import number, side_px, whole
from framesift.types.video import LocalVideo

SAME_SECONDS: Final = 0.05
"""By how much the length of a file may differ from what a report says of it."""
SHORTEST_SECONDS: Final = 1e-3
LONGEST_SECONDS: Final = 1e9
"""How much of a video one stretch may cover on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Finds pictures by a selector among the frames that are sampled, or those at given times."""

    decoder: Decoder
    selector: Selector
    fps: float
    limits: FetchLimits

    def keyframes(
        self, run: Run, video: Video, count: int, question: str | None, max_side_px: int | None
    ) -> list[Keyframe]:
        """Returns the `count` frames that the selector picks, or all where there are fewer."""
        count = whole("count", count, "frame", error=BudgetError)
        max_side_px = side_px(max_side_px)
        stages = self._stages(run)
        with stages.open(video, self.limits) as local:
            index = stages.index(local)
            frames = self._picked(stages, local, index, count, question, max_side_px)
        if len(frames) < count:
            run.warn(f"{count} keyframes were asked, all {len(frames)} sampled frames are kept")
        return frames

    def moments(
        self,
        run: Run,
        video: Video,
        count: int | None,
        seconds_each: float,
        question: str | None,
        max_side_px: int | None,
    ) -> list[Moment]:
        """Returns `count` stretches that cover the video, or as many as `seconds_each` gives."""
        count = None if count is None else whole("count", count, "stretch", error=BudgetError)
        seconds_each = number(
            "seconds_each", seconds_each, low=SHORTEST_SECONDS, high=LONGEST_SECONDS, unit="seconds"
        )
        max_side_px = side_px(max_side_px)
        stages = self._stages(run)
        with stages.open(video, self.limits) as local:
            index = stages.index(local)
            start, end = covered(index.info, local.part_seconds)
            most = max(1, round((end - start) / seconds_each)) if count is None else count
            frames = self._picked(stages, local, index, most, question, max_side_px)
            if count is not None and len(frames) < count:
                run.warn(
                    f"{count} stretches were asked, and there is one for each of the "
                    f"{len(frames)} sampled frames"
                )
            return outcomes.covering(local, index.info, frames)

    def frames(
        self,
        run: Run,
        video: Video,
        times_seconds: Sequence[float] | None,
        max_side_px: int | None,
    ) -> Frames:
        """Returns the sampled frames, or those shown at `times_seconds`."""
        max_side_px = side_px(max_side_px)
        if times_seconds is not None:
            times_seconds = ascending(times_seconds)
            if not times_seconds:
                raise InvalidOptionError(
                    "times_seconds=[] holds no time; give one, or None for the sampled frames"
                )
        stages = self._stages(run)
        with stages.open(video, self.limits) as local:
            path = file_of(local)
            index = stages.index(local)
            if times_seconds is None:
                wanted = at_fps(index, self.fps, local.part_seconds)
            else:
                wanted = sorted(set(at_times(index, times_seconds)))
            size_px = None if max_side_px is None else outcomes.fitted(index.info, max_side_px)
            return Frames.concatenate(list(stages.frames(path, wanted, size_px)))

    def shown(
        self, run: Run, video: Video, segments: Sequence[Segment], max_side_px: int | None
    ) -> list[Moment]:
        """Returns stretches with their pictures; one whose frame is not readable is left out.

        Those of a compressed video whose file is gone, or is another one now, have no pictures.
        """
        max_side_px = side_px(max_side_px)
        stages = self._stages(run)
        try:
            with stages.open(video, self.limits) as local:
                index = stages.index(local)
                if isinstance(video, CompressedVideo):
                    _check_same(video, index)
                return outcomes.moments(stages, local, index, segments, max_side_px)
        except (SourceError, DecodeError) as error:
            if not isinstance(video, CompressedVideo):
                raise
            run.warn(f"pictures were left out, since their video cannot be opened: {error}")
            return [Moment(segment=part, keyframe=None) for part in segments]

    def _stages(self, run: Run) -> Stages:
        return Stages(decoder=self.decoder, run=run)

    def _picked(
        self,
        stages: Stages,
        local: LocalVideo,
        index: FrameIndex,
        count: int,
        question: str | None,
        max_side_px: int | None,
    ) -> list[Keyframe]:
        sampled = at_fps(index, self.fps, local.part_seconds)
        selected = stages.select(
            file_of(local), index, sampled, selector=self.selector, count=count, question=question
        )
        return outcomes.keyframes(stages, local, index, selected, max_side_px)


def _check_same(video: CompressedVideo, index: FrameIndex) -> None:
    """Refuses a file that has taken the place of the one that was compressed.

    Raises:
        SourceError: it has another length.
    """
    before, now = video.report.duration_seconds, index.info.duration_seconds
    if abs(before - now) > SAME_SECONDS:
        raise SourceError(
            f"{video.report.uri[:200]!r} had {before:.2f} s when it was compressed and has "
            f"{now:.2f} s now; compress it again"
        )
