"""What labels frames: something that opens a video and rates its frames for questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from framesift.errors import InvalidOptionError
from framesift.training.frame_selector.label_file import FrameQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What each frame of a video is worth for one question."""

    values: tuple[float, ...] | None
    """Of each frame in [0, 1]; None where nothing could be learned."""
    warnings: tuple[str, ...] = ()
    """What is to be known of them."""


class VideoRater(ABC):
    """The frames of one video, ready to be rated for any question."""

    times_seconds: tuple[float, ...]
    """Of the frames, ascending."""

    @abstractmethod
    def spatial(self, question: FrameQuestion) -> Rating:
        """Returns what each frame is worth by itself."""

    @abstractmethod
    def temporal(self, question: FrameQuestion) -> Rating:
        """Returns which frames matter among all: 1 or 0 each, None for unknown."""


def check_answers(questions: Sequence[FrameQuestion], *, judge: str, temporal: str) -> None:
    """Refuses questions without the right answer where a judge needs it.

    Raises:
        InvalidOptionError: one has none, or one that is not among its choices.
    """
    needing = [
        f"{name}={value!r}"
        for name, value in (("judge", judge), ("temporal", temporal))
        if value in ("answer", "evidence")
    ]
    if not needing:
        return
    for question in questions:
        if question.answer is None or not question.answer.strip():
            raise InvalidOptionError(
                f"the question {question.question[:60]!r} about {question.video[:60]!r} has no "
                f"answer, and {' and '.join(needing)} need the right one; add it, or take "
                "judge='true-false' and temporal='captions'"
            )
        if question.choices and question.answer not in question.choices:
            raise InvalidOptionError(
                f"the answer {question.answer[:60]!r} to {question.question[:60]!r} is not one "
                "of its choices; give it as it stands there"
            )


class FrameLabeler(ABC):
    """Rates the frames of videos in one way."""

    settings: dict[str, Any]
    """The way, as `FrameLabels` states it."""

    def check(self, questions: Sequence[FrameQuestion]) -> None:
        """Refuses questions that cannot be labeled, before anything is fetched.

        Raises:
            InvalidOptionError: one has no right answer, and the judge needs it.
        """
        check_answers(
            questions, judge=self.settings["judge"], temporal=self.settings["temporal_judge"]
        )

    @abstractmethod
    def open(self, video: str, fps: float) -> AbstractContextManager[VideoRater]:
        """Gives the frames of a video at a rate.

        Raises:
            SourceError: the video cannot be fetched.
            DecodeError: it cannot be decoded.
        """
