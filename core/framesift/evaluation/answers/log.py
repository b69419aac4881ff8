"""Answers of a model about shortened videos, one JSON line each, behind a line about the run."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from framesift.disk.writing import FileLock, as_path, read_file, storing
from framesift.errors import InvalidOptionError

T = TypeVar("T", bound=BaseModel)
KEEPS: Final = (0.05, 0.1, 0.25, 0.35, 0.5, 0.75)
"""Shares of the tokens that answers are asked from."""
WHOLE: Final = "all tokens"
"""The strategy's name of answers from every token."""
BLIND: Final = "blind"
"""The strategy's name of answers without any video."""
ONE_FRAME: Final = "one frame"
"""The strategy's name of answers from the frame in the middle alone."""


RUN: Final = "#"
"""Stands between the name of a way and that of one of its runs, as in 'random#2'."""


def budget_words(keep: float) -> str:
    """Returns what `Answered.keep` holds as it is shown, such as '12.5 %' or '256 tokens'."""
    return f"{keep:,.0f} tokens" if keep > 1 else f"{100 * keep:.3g} %"


def bound_words(keep: float) -> str:
    """Returns a budget within a sentence, such as '12.5 % of the tokens' or '256 tokens'."""
    return budget_words(keep) if keep > 1 else f"{budget_words(keep)} of the tokens"


class AnswerRun(BaseModel):
    """What was run, on what; two logs with the same `settings` may be one run in two parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, str] = Field(description="Question set, model, and so on, by name.")
    versions: dict[str, str] = Field(description="Of Python and the packages that matter.")
    machine: str
    commit: str = Field(description="Of the repository; 'unknown' outside of one.")


class Answered(BaseModel):
    """One answer to one question about one video, shortened in one way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video: str = Field(description="Which video; intervals are drawn over these.")
    question: str = Field(description="Which question; unique within its video.")
    kind: str = Field(description="What kind of question it is, such as 'number'.")
    strategy: str = Field(description="Spec or name, or 'all tokens', 'one frame' or 'blind'.")
    spec: str | None = Field(default=None, description="What a name stands for.")
    keep: float = Field(
        description="Asked share of the tokens; above 1, most tokens of a video; 0 if blind."
    )
    tokens: int = Field(description="Visual tokens in the prompt.")
    tokens_before: int = Field(description="Visual tokens of the whole video.")
    prompt_tokens: int | None = Field(default=None, description="All of the prompt, with its text.")
    expected: str
    said: str = Field(description="The model's words; empty counts as wrong.")
    right: bool
    first_token_seconds: float | None = Field(
        default=None,
        description="Decoding, encoding, planning and prefill, where they were timed.",
    )

    @property
    def way(self) -> tuple[str, float]:
        """Strategy and share of the tokens, those of one run where it has several."""
        return self.strategy, self.keep

    @property
    def method(self) -> str:
        """The strategy's name, without that of a run: 'random' of 'random#2'."""
        return self.strategy.partition(RUN)[0]

    @property
    def place(self) -> tuple[str, str]:
        """Video and question, which pair the answers of two ways."""
        return self.video, self.question


@dataclass(frozen=True, kw_only=True)
class AnswerLog:
    """A log that was read, or one that answers are added to.

    Who opens a log to go on with holds its file until the log is dropped or the process ends, so
    that two runs cannot both answer what is left.
    """

    run: AnswerRun
    answers: list[Answered] = field(default_factory=list)
    lock: FileLock | None = field(default=None, compare=False, repr=False)
    """Keeps other processes from writing to the file."""

    @classmethod
    def opened(cls, path: str | os.PathLike[str], run: AnswerRun) -> Self:
        """Returns the log in a file to go on with, a new one if the file is missing.

        Raises:
            InvalidOptionError: the file is of a run with other settings.
            StorageError: another process writes to it, or it cannot be written to.
        """
        path = as_path(path)
        lock = FileLock.of(path)
        begin = _line(run)
        with storing(path):
            content = path.read_bytes()
            if begin.startswith(content):  # new, or broken off in its first line
                path.write_bytes(begin)
                return cls(run=run, lock=lock)
            earlier = cls.read(path)
            _check_settings(path, run.settings, earlier.run.settings)
            # What was cut off when the run broke off must not stay in the middle.
            whole = b"".join(map(_line, (earlier.run, *earlier.answers)))
            if whole != content:
                with path.open("r+b") as file:
                    shorter = _whole_part(content)
                    file.seek(len(shorter))
                    file.write(b"" if shorter.endswith(b"\n") else b"\n")
                    file.truncate()
        return cls(run=earlier.run, answers=earlier.answers, lock=lock)

    def add(self, path: str | os.PathLike[str], answers: Sequence[Answered]) -> None:
        """Writes answers to the end of the log and of its file, all or none of them.

        Raises:
            StorageError: the file cannot be written to.
        """
        path = as_path(path)
        with storing(path), path.open("r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            content = b"".join(map(_line, answers))
            try:
                if file.write(content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
        self.answers.extend(answers)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Returns the log in a file.

        A last line that was cut off when a run was broken off is left out.

        Raises:
            InvalidOptionError: a line holds something else; names the line and the field.
            StorageError: the file is missing.
        """
        path = as_path(path)
        lines = json_lines(_whole_part(read_file(path, hint="give a log of answers")))
        if not lines:
            raise InvalidOptionError(
                f"{str(path)!r} is empty; it must begin with a line about the run"
            )
        run = parsed(AnswerRun, lines[0], path, 1)
        numbered = enumerate(lines[1:], start=2)
        return cls(run=run, answers=[parsed(Answered, line, path, n) for n, line in numbered])


def json_lines(content: bytes) -> list[bytes]:
    """Returns the lines of a JSON-lines file, which end at line feeds and nowhere else.

    Answers hold U+2028 and U+0085 as they come, which `str.splitlines` takes for ends of lines.
    """
    lines = content.split(b"\n")
    return lines if lines[-1].strip() else lines[:-1]


def _line(model: BaseModel) -> bytes:
    return f"{model.model_dump_json()}\n".encode()


def _whole_part(content: bytes) -> bytes:
    """Returns a log without a last line that was cut off; the first line always stays."""
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    return content if not start or _is_whole(content[start:]) else content[:start]


def _check_settings(path: Path, ours: dict[str, str], theirs: dict[str, str]) -> None:
    names = sorted(ours.keys() | theirs.keys())
    if other := [name for name in names if ours.get(name) != theirs.get(name)]:
        given = ", ".join(
            f"{name}={ours.get(name)!r} and not {theirs.get(name)!r}" for name in other
        )
        raise InvalidOptionError(
            f"{str(path)!r} holds a run of other settings, as now {given}; give another file, or "
            "remove this one"
        )


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def parsed(kind: type[T], line: bytes, path: Path | str, number: int) -> T:
    """Returns what a line of a JSON-lines file holds.

    Raises:
        InvalidOptionError: it holds something else; names the line and the field.
    """
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise InvalidOptionError(f"{path}, line {number}: {place}: {first['msg']}") from error
