"""What a way to choose frames chose for a question, what readers said, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.selection.few_frames import Asked, FewFrames
from framesift.evaluation.selection.question_sets import FPS, BriefQuestion, BriefVideo, Scope
from framesift.evaluation.selection.ways import SelectionWay
from framesift.selectors import registry
from framesift.sources.base import open_video
from framesift.training.frame_selector.label_file import append
from framesift.types.selection import SelectionReport
from framesift.types.video import LocalVideo
from framesift.vlms.base import VLM

Key = tuple[str, str, int, str, str, str]
"""Video, question, candidates, way, selector and reader."""
FREE: Final = {"frames_decoded": 0, "frames_encoded": 0, "calls": 0, "seconds": 0.0}


class Choice(BaseModel):
    """The frames that one way chose for one question, and a reader's answer from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video: str = Field(description="Split and seed; intervals are drawn over these.")
    question: str = Field(description="Unique within its video.")
    candidates: int = Field(description="Frames to choose among.")
    kind: str
    scope: Scope
    wording: str = Field(description="'trained' or 'unseen', by the selector's training.")
    way: str
    selector: str = Field(description="Spec string of the way.")
    count: int = Field(description="Frames to choose.")
    reader: str
    picked: list[int]
    hit: bool = Field(description="Whether a chosen frame shows what the question is about.")
    said: str
    right: bool
    frames_decoded: int = Field(description="For the choice; none for a later question.")
    frames_encoded: int
    calls: int
    seconds: float = Field(description="Of choosing, decoding for it included.")

    @property
    def place(self) -> tuple[str, str, int]:
        """Video, question and candidates, which pair two ways."""
        return self.video, self.question, self.candidates

    @property
    def key(self) -> Key:
        """What tells it from other lines."""
        return *self.place, self.way, self.selector, self.reader


class Choosing:
    """Ways to choose frames, and the readers that answer from what was chosen."""

    def __init__(self, ways: Sequence[SelectionWay], readers: Mapping[str, VLM]) -> None:
        """Takes ways of different names, and readers by name, the main one first.

        Raises:
            InvalidOptionError: a selector is unknown, or an option of it is wrong.
        """
        self._ways = list(ways)
        self._readers = dict(readers)
        selectors = {way.name: registry.create(way.selector) for way in ways}
        self._reads = {name for name, selector in selectors.items() if selector.reads_question}
        self._sifts = {
            name: VideoCompressor(selector=selector, fps=FPS)
            for name, selector in selectors.items()
        }

    def add_to(
        self, path: Path, videos: Iterator[BriefVideo], done: set[Key]
    ) -> Iterator[BriefVideo]:
        """Adds what is missing in a file, a line each; yields each video when it is done."""
        for video in videos:
            if lines := self._missing(video, done):
                with open_video(video.uri) as local:
                    for choice in self._choices(video, local, lines):
                        append(path, choice)
            yield video

    def _missing(
        self, video: BriefVideo, done: set[Key]
    ) -> list[tuple[SelectionWay, BriefQuestion, str]]:
        return [
            (way, question, reader)
            for way in self._ways
            if video.seconds in way.lengths
            for question in video.questions
            if question.scope in way.scopes
            for reader in list(self._readers)[: way.readers]
            if (video.name, question.id, video.seconds, way.name, way.selector, reader) not in done
        ]

    def _choices(
        self,
        video: BriefVideo,
        local: LocalVideo,
        missing: Sequence[tuple[SelectionWay, BriefQuestion, str]],
    ) -> Iterator[Choice]:
        reports: dict[tuple[str, str], SelectionReport] = {}
        for way, question, _ in missing:
            if (way.name, question.id) not in reports:
                reports[way.name, question.id] = self._chosen(way, question, local, reports)
        asked: dict[str, dict[Asked, None]] = {}
        for way, question, reader in missing:
            picked = tuple(reports[way.name, question.id].picked)
            asked.setdefault(reader, {})[question.text, picked] = None
        said = {
            reader: FewFrames(self._readers[reader], local).answers(list(own))
            for reader, own in asked.items()
        }
        for way, question, reader in missing:
            report = reports[way.name, question.id]
            words = said[reader][question.text, tuple(report.picked)]
            yield Choice(
                video=video.name,
                question=question.id,
                candidates=len(report.candidate_seconds),
                kind=question.kind,
                scope=question.scope,
                wording=question.wording,
                way=way.name,
                selector=way.selector,
                count=way.count,
                reader=reader,
                picked=report.picked,
                hit=any(map(question.is_shown, report.picked_seconds)),
                said=words,
                right=question.is_right(words),
                frames_decoded=report.frames_decoded,
                frames_encoded=report.frames_encoded,
                calls=report.calls,
                seconds=round(report.seconds, 6),
            )

    def _chosen(
        self,
        way: SelectionWay,
        question: BriefQuestion,
        local: LocalVideo,
        known: Mapping[tuple[str, str], SelectionReport],
    ) -> SelectionReport:
        """Returns the choice of a way; one that reads no question costs nothing again."""
        same = [report for (name, _), report in known.items() if name == way.name]
        if same and way.name not in self._reads:
            return same[0].model_copy(update=FREE)
        return self._sifts[way.name].select(local, way.count, question.text)
