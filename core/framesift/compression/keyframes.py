"""The frames that stand for a video, each with its picture and why it was picked."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from framesift.compression.opening import FrameReader, Opener, Video
from framesift.compression.selection import FramePicker, SelectedFrames
from framesift.decoders.sampling import covered
from framesift.errors import BudgetError
from framesift.run import Run
from framesift.types.compressed import Keyframe
from framesift.types.options import side_px, whole
from framesift.types.selection import SelectionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyframePicker:
    """Picks keyframes among the frames that are sampled."""

    opener: Opener
    picker: FramePicker
    fps: float

    def pick(
        self, video: Video, count: int, question: str | None, max_side_px: int | None, run: Run
    ) -> list[Keyframe]:
        """Returns the `count` frames that the selector picks, or all where there are fewer."""
        count = whole("count", count, "frame", error=BudgetError)
        max_side_px = side_px(max_side_px)
        self.picker.selector.check_question(question)
        with self.opener.open(video, run) as reader:
            keyframes = self.pick_from(reader, count, question, max_side_px)
        _note(run, count, len(keyframes))
        self._note_unread(question, run)
        return keyframes

    def pick_from(
        self, reader: FrameReader, count: int, question: str | None, max_side_px: int | None
    ) -> list[Keyframe]:
        """Returns up to `count` keyframes of an open video."""
        return _pictured(reader, self._chosen(reader, count, question), max_side_px)

    def choose(self, video: Video, count: int, question: str | None, run: Run) -> SelectionReport:
        """Returns which frames the selector picks, and why, without their pictures."""
        count = whole("count", count, "frame", error=BudgetError)
        self.picker.selector.check_question(question)
        with self.opener.open(video, run) as reader:
            report = self._chosen(reader, count, question).report
        _note(run, count, len(report.picked))
        self._note_unread(question, run)
        return report

    def _note_unread(self, question: str | None, run: Run) -> None:
        """Warns where a question was asked that changes nothing."""
        selector = self.picker.selector
        if question and not selector.reads_question:
            run.warn(
                f"selector {selector.spec!r} does not read the question, so it picks the same "
                "frames for any; take one that does, such as 'auto' or 'nms:scorer=text'"
            )

    def _chosen(self, reader: FrameReader, count: int, question: str | None) -> SelectedFrames:
        return self.picker.pick(reader, reader.sampled(self.fps), count=count, question=question)


def _note(run: Run, count: int, kept: int) -> None:
    if kept < count:
        run.warn(f"{count} keyframes were asked, all {kept} sampled frames are kept")


def _pictured(
    reader: FrameReader, selected: SelectedFrames, max_side_px: int | None
) -> list[Keyframe]:
    choice = selected.choice
    why = dict(zip(selected.indices, zip(choice.scores, choice.reasons, strict=True), strict=True))
    video_seconds = covered(reader.index.info, reader.local.part_seconds)
    return [
        Keyframe(
            image=Image.fromarray(pixels),
            pts_seconds=float(reader.index.pts_seconds[frame]),
            score=why[frame][0],
            reason=why[frame][1],
            video_seconds=video_seconds,
        )
        for window in reader.pictures(selected.indices, max_side_px)
        for pixels, frame in zip(window.data, window.indices.tolist(), strict=True)
    ]
