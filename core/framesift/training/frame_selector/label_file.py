"""Questions whose frames are labeled, and the file of labels that a run adds to."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from framesift.disk.writing import FileLock, as_path, read_file, storing
from framesift.errors import InvalidOptionError

Judge = Literal["true-false", "answer"]
"""What a frame is worth by itself: the model's word for it, or the probability of the answer."""
TemporalJudge = Literal["captions", "evidence", "none"]
"""Which frames matter among all: an LLM's choice by captions, or the answer's attention."""
Normalization = Literal["none", "minmax"]
Part = Annotated[float, Field(ge=0, le=1)]
Line = TypeVar("Line", bound=BaseModel)

VERSION: Final = 1


class FrameQuestion(BaseModel):
    """A line of a file of questions; what else it holds is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    video: str = Field(min_length=1, description="Address or path.")
    question: str = Field(min_length=1)
    answer: str | None = Field(default=None, description="The right one, where it is known.")
    choices: tuple[str, ...] | None = Field(default=None, description="Answers to choose from.")
    fps: float = Field(default=1.0, gt=0, description="Frames labeled per second of video.")

    @property
    def key(self) -> tuple[str, str, str | None, float]:
        """What tells the question from others."""
        return self.video, self.question, self.answer, self.fps


class FrameLabels(BaseModel):
    """A line of a file of labels: what each frame of a video is worth for one question."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    video: str
    fps: float
    question: str
    times_seconds: list[float] = Field(min_length=1, description="Of the frames, ascending.")
    spatial: list[Part] = Field(description="Of each frame by itself.")
    temporal: list[Part] | None = Field(
        default=None, description="1 for frames that matter among all, else 0; None for unknown."
    )
    labels: list[Part] = Field(description="Mean of both, or the spatial ones alone.")
    answer: str | None = None
    judge: Judge
    temporal_judge: TemporalJudge = "none"
    normalize: Normalization = "none"
    include_choices: bool = Field(
        default=False, description="Whether the judges saw the answers to choose from."
    )
    model: str
    version: Literal[1] = VERSION
    warnings: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_one_a_frame(self) -> FrameLabels:
        frames = len(self.times_seconds)
        for name in ("spatial", "temporal", "labels"):
            values = getattr(self, name)
            if values is not None and len(values) != frames:
                raise ValueError(f"{name} has {len(values)} values for {frames} frames")
        return self

    @property
    def key(self) -> tuple[str, str, str | None, float]:
        """What tells the question from others."""
        return self.video, self.question, self.answer, self.fps

    @property
    def settings(self) -> dict[str, Any]:
        """How the labels were made."""
        names = ("judge", "temporal_judge", "normalize", "include_choices", "model")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """A file of labels that one process at a time adds to."""

    path: Path
    done: set[tuple[str, str, str | None, float]] = field(default_factory=set)
    """Questions that are labeled."""
    lock: FileLock = field(compare=False, repr=False)
    """Keeps other processes from writing to the file."""

    @classmethod
    def opened(cls, path: str | os.PathLike[str], settings: dict[str, Any]) -> Self:
        """Returns the file to go on with; it is made where there is none.

        A last line that was cut off when a run was killed is removed.

        Args:
            path: of the file.
            settings: how labels are made now, as in `FrameLabels.settings`.

        Raises:
            InvalidOptionError: it holds something else, or labels that were made in another way.
            StorageError: another process writes to it, or it cannot be written to.
        """
        path = as_path(path)
        lock = FileLock.of(path)
        done = set()
        for number, line in enumerate(mended_lines(FrameLabels, path), start=1):
            if other := [name for name in settings if line.settings[name] != settings[name]]:
                told = ", ".join(f"{name}={line.settings[name]!r}" for name in other)
                raise InvalidOptionError(
                    f"{str(path)!r} holds labels by {told} in line {number}, and now "
                    f"{', '.join(f'{name}={settings[name]!r}' for name in other)} is wanted; give "
                    "another file"
                )
            done.add(line.key)
        return cls(path=path, done=done, lock=lock)

    def add(self, labels: FrameLabels) -> None:
        """Adds one line, which is on the disk when this returns.

        Raises:
            StorageError: the file cannot be written to; it holds whole lines still.
        """
        append(self.path, labels)
        self.done.add(labels.key)


def read_questions_to_label(path: str | os.PathLike[str]) -> list[FrameQuestion]:
    """Returns the questions of a file, each once.

    Raises:
        InvalidOptionError: a line is not a question, or there is none.
        StorageError: there is no such file.
    """
    questions = {question.key: question for question in read_lines(FrameQuestion, path)}
    if not questions:
        raise InvalidOptionError(
            f'{str(path)!r} holds no question; give lines such as {{"video": "talk.mp4", '
            '"question": "Who speaks?", "answer": "Ada"}'
        )
    return list(questions.values())


def read_lines(kind: type[Line], path: str | os.PathLike[str]) -> list[Line]:
    """Returns what the lines of a JSON-lines file hold; empty ones are passed over.

    Raises:
        InvalidOptionError: a line holds something else; names the line and the field.
    """
    return _parsed(kind, path, read_file(path, hint="give a file of JSON lines"))


def append(path: Path, line: BaseModel) -> None:
    """Adds a line to a file, all of it or nothing; it is on the disk when this returns.

    Raises:
        StorageError: the disk is full, or the file cannot be written to.
    """
    content = f"{line.model_dump_json()}\n".encode()
    with storing(path), path.open("r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def mended_lines(kind: type[Line], path: Path) -> list[Line]:
    """Returns the lines of a file that a run goes on with, whose last line ends from now on.

    One that was cut off when its writer was killed is removed. A file of something else stays as it
    is to the byte.

    Raises:
        InvalidOptionError: it holds something else; names the line.
        StorageError: it cannot be written to.
    """
    content = read_file(path, hint="give a file of JSON lines")
    whole = content.rfind(b"\n") + 1
    if whole == len(content):
        return read_lines(kind, path)
    if not _is_cut_off(kind, content[whole:]):
        lines = read_lines(kind, path)
        with storing(path), path.open("ab") as file:
            file.write(b"\n")
        return lines
    lines = _parsed(kind, path, content[:whole])
    with storing(path), path.open("r+b") as file:
        file.truncate(whole)
        os.fsync(file.fileno())
    return lines


def joined_labels(
    spatial: Sequence[float], temporal: Sequence[float] | None, normalize: Normalization
) -> list[float]:
    """Returns the label of each frame in [0, 1].

    Args:
        spatial: of each frame by itself.
        temporal: 1 for frames that matter among all, else 0; None for unknown.
        normalize: `"minmax"` stretches the labels of a video over [0, 1].
    """
    both = [(one + other) / 2 for one, other in zip(spatial, temporal or spatial, strict=True)]
    low, high = min(both), max(both)
    if normalize == "minmax" and high > low:
        both = [(value - low) / (high - low) for value in both]
    return [round(value, 6) for value in both]


def _parsed(kind: type[Line], path: str | os.PathLike[str], content: bytes) -> list[Line]:
    # Texts hold U+2028 and U+0085 as they come, which `splitlines` takes for ends of lines.
    found = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(kind.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise InvalidOptionError(
                f"{str(path)!r}, line {number}: {place}: {first['msg']}; mend or remove the line"
            ) from error
    return found


def _is_cut_off(kind: type[BaseModel], line: bytes) -> bool:
    """Whether a line is the beginning of one that `append` writes, and not all of it."""
    try:
        json.loads(line)
    except ValueError:
        start = f'{{"{next(iter(kind.model_fields))}":'.encode()
        # A loss of power leaves zeros where nothing had been written yet.
        written = line.rstrip(b"\0")
        # Pydantic writes no space there, and most others do.
        is_ours = written.startswith(start) and not written.startswith(start + b" ")
        return is_ours or start.startswith(written)
    return False
