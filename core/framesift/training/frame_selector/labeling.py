"""Labels the frames of videos for questions, one video after another, and keeps every line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framesift.errors import DecodeError, ReplyError, SourceError
from framesift.run import progress_bar
from framesift.training.frame_selector.label_file import (
    FrameLabels,
    FrameQuestion,
    LabelFile,
    Normalization,
    joined_labels,
)
from framesift.training.frame_selector.ratings import FrameLabeler, VideoRater


@dataclass(slots=True, kw_only=True)
class Labeled:
    """What a run has done."""

    before: int = 0
    """Questions that were labeled before."""
    now: int = 0
    """Questions that it has labeled."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Videos that could not be fetched or decoded, and why."""
    unlabeled: dict[str, str] = field(default_factory=dict)
    """Questions that the model gave no usable reply to, and the last try's error."""


def label(
    questions: Sequence[FrameQuestion],
    labeler: FrameLabeler,
    out: Path,
    *,
    normalize: Normalization = "none",
    warn: Callable[[str], object] = lambda line: None,
) -> Labeled:
    """Labels the questions that a file has no labels of yet, and returns what was done.

    A video is opened once for all of its questions. One that cannot be read is passed over, and so
    is a question that the model replies nothing usable to; the next run tries them again.

    Args:
        questions: what the frames are rated for.
        labeler: what rates them.
        out: file of labels, made where it is missing; each line is on the disk once it is paid for.
        normalize: as in `joined_labels`.
        warn: called with each warning.

    Raises:
        InvalidOptionError: a question cannot be labeled in this way, or the file holds labels that
            were made in another one.
        StorageError: another process writes to the file, or it cannot be written to.
        ModelError: the model cannot be run, or cannot be asked.
    """
    labeler.check(questions)
    settings = {**labeler.settings, "normalize": normalize}
    file = LabelFile.opened(out, settings)
    by_video: dict[tuple[str, float], list[FrameQuestion]] = {}
    for question in questions:
        if question.key not in file.done:
            by_video.setdefault((question.video, question.fps), []).append(question)
    left = sum(map(len, by_video.values()))
    done = Labeled(before=len(questions) - left)
    with progress_bar("label", total=left, unit="question") as bar:
        for (video, fps), own in by_video.items():
            try:
                with labeler.open(video, fps) as rater:
                    for question in own:
                        about = f"{video}: {question.question[:60]!r}"
                        try:
                            labels = labels_of(rater, question, settings)
                        except ReplyError as error:
                            done.unlabeled[about] = str(error)
                            warn(f"{about} is passed over: {error}")
                            continue
                        file.add(labels)
                        done.now += 1
                        bar.update()
                        for line in labels.warnings:
                            warn(f"{about}: {line}")
            except (SourceError, DecodeError) as error:
                done.unreadable[video] = str(error)
                warn(f"{video} is passed over: {error}")
    return done


def labels_of(rater: VideoRater, question: FrameQuestion, settings: dict[str, Any]) -> FrameLabels:
    """Returns the labels of one video for a question; `settings` are a labeler's and `normalize`.

    Raises:
        ReplyError: the model gives no usable reply.
    """
    spatial, temporal = rater.spatial(question), rater.temporal(question)
    assert spatial.values is not None
    normalize: Normalization = "minmax" if settings["normalize"] == "minmax" else "none"
    return FrameLabels.model_validate(
        {
            **{name: value for name, value in question if name != "choices"},
            **settings,
            "times_seconds": [round(seconds, 6) for seconds in rater.times_seconds],
            "spatial": list(spatial.values),
            "temporal": None if temporal.values is None else list(temporal.values),
            "labels": joined_labels(spatial.values, temporal.values, normalize),
            "warnings": [*spatial.warnings, *temporal.warnings],
        }
    )
