"""What a selector learns from: labels of frames, of one kind or joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from framesift.errors import InvalidOptionError
from framesift.training.frame_selector.label_file import FrameLabels, read_lines

Target = Literal["labels", "spatial", "temporal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledQuestion:
    """What each candidate frame of a video is worth for a question."""

    video: str
    question: str
    times_seconds: tuple[float, ...]
    """Of the candidate frames, ascending."""
    labels: tuple[float, ...]
    """Of each frame, in [0, 1]."""
    answer: str | None = None


def read_labels(paths: Sequence[Path], target: Target = "labels") -> list[LabeledQuestion]:
    """Returns the questions of some files of labels, in their order.

    Args:
        paths: files that `framesift label` wrote.
        target: which labels of each frame are taken.

    Raises:
        InvalidOptionError: a line does not hold labels, or not those of this kind, or frames
            without an order.
    """
    lines = ((path, line) for path in paths for line in read_lines(FrameLabels, path))
    found = [_question(path, line, target) for path, line in lines]
    if not found:
        names = ", ".join(repr(path.name) for path in paths)
        raise InvalidOptionError(f"there is no label in {names}; run `framesift label` first")
    return found


def _question(path: Path, line: FrameLabels, target: Target) -> LabeledQuestion:
    about = f"{path.name!r} has a line about {line.video[:100]!r}"
    labels = getattr(line, target)
    if labels is None:
        raise InvalidOptionError(
            f"{about} without {target!r} labels; label with a judge that gives them, or take "
            "another target"
        )
    if any(one >= other for one, other in pairwise(line.times_seconds)):
        raise InvalidOptionError(f"{about} whose times_seconds do not ascend; label it again")
    return LabeledQuestion(
        video=line.video,
        question=line.question,
        times_seconds=tuple(line.times_seconds),
        labels=tuple(labels),
        answer=line.answer if line.answer and line.answer.strip() else None,
    )
