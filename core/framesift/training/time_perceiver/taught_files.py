"""Files of questions with answers and of captions, and the videos that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from framesift.compression.opening import Opener
from framesift.decoders import registry as decoders
from framesift.decoders.stills import WithStills
from framesift.errors import InvalidOptionError
from framesift.run import Run, progress_bar
from framesift.training.frame_selector.label_file import read_lines
from framesift.training.kept_features import KeptFeatures
from framesift.training.time_perceiver.lessons import Lesson, TaughtVideo

DESCRIBE: Final = "Describe what happens in this video."
"""What a model is asked for a caption."""
Words = Annotated[str, Field(pattern=r"\S")]
"""Text that holds something."""


class TaughtLine(BaseModel):
    """A line about a video: a question with its answer, or a caption; other entries are left."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    video: str = Field(min_length=1, description="Address or path; `#t=START,END` for a part.")
    question: Words | None = None
    answer: Words | None = None
    caption: Words | None = None
    kind: str | None = Field(default=None, description="Under which answers are measured.")

    @model_validator(mode="after")
    def _teaches(self) -> TaughtLine:
        if self.caption is None and (self.question is None or self.answer is None):
            raise ValueError("there is neither a question with its answer nor a caption")
        return self

    @property
    def lessons(self) -> list[Lesson]:
        """What is learned from the line."""
        found = []
        if self.question is not None and self.answer is not None:
            kind = self.kind or "question"
            found.append(Lesson(question=self.question, answer=self.answer, kind=kind))
        if self.caption is not None:
            kind = self.kind or "caption"
            found.append(Lesson(question=DESCRIBE, answer=self.caption, kind=kind))
        return found


@dataclass(frozen=True, kw_only=True)
class TaughtFiles:
    """Videos of files of lines, sampled at a rate, each with all that is asked about it."""

    kept: KeptFeatures
    fps: float
    max_frames: int

    def videos(self, paths: Sequence[Path]) -> list[TaughtVideo]:
        """Returns the videos of some files, in the order in which they are first named.

        Raises:
            InvalidOptionError: a line teaches nothing, or a file holds none.
        """
        lessons: dict[str, list[Lesson]] = {}
        for path in paths:
            lines = read_lines(TaughtLine, path)
            if not lines:
                raise InvalidOptionError(
                    f'{str(path)!r} holds no lesson; give lines such as {{"video": "talk.mp4", '
                    '"question": "Who speaks?", "answer": "Ada"} or {"video": "cat.mp4", '
                    '"caption": "A cat jumps off a table."}'
                )
            for line in lines:
                lessons.setdefault(line.video, []).extend(line.lessons)
        found = []
        with progress_bar("videos", total=len(lessons), unit="step") as bar:
            for address, own in lessons.items():
                times = self._times_seconds(address)
                found.append(
                    TaughtVideo(
                        address=address,
                        times_seconds=times,
                        lessons=own,
                        features=partial(self.kept.of, address, times),
                    )
                )
                bar.update()
        self.kept.prepare((video.address, video.times_seconds) for video in found)
        return found

    def _times_seconds(self, address: str) -> tuple[float, ...]:
        """Returns when the frames of a video are shown that are looked at."""
        opener = Opener(decoder=WithStills(videos=decoders.create("pyav")), limits=self.kept.limits)
        with opener.open(address, Run()) as reader:
            sampled = reader.sampled(self.fps)
            count = min(len(sampled), self.max_frames)
            thinned = [sampled[place * len(sampled) // count] for place in range(count)]
            return tuple(reader.index.pts_seconds[thinned].tolist())
