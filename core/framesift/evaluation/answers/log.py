"""Answers of a model about shortened videos, one JSON line each, behind a line about the run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from framesift.errors import InvalidOptionError
from framesift.writing import write_atomically

T = TypeVar("T", bound=BaseModel)
WHOLE: Final = "all tokens"
"""The strategy's name of answers from every token."""
BLIND: Final = "blind"
"""The strategy's name of answers without any video."""
ONE_FRAME: Final = "one frame"
"""The strategy's name of answers from the frame in the middle alone."""


class Run(BaseModel):
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
    strategy: str = Field(description="Spec string, or 'all tokens', 'one frame' or 'blind'.")
    keep: float = Field(description="Asked share of the tokens; 0 of blind answers.")
    tokens: int = Field(description="Visual tokens in the prompt.")
    tokens_before: int = Field(description="Visual tokens of the whole video.")
    expected: str
    said: str = Field(description="The model's words; empty counts as wrong.")
    right: bool
    first_token_seconds: float | None = Field(
        default=None,
        description="Decoding, encoding, planning and prefill, where they were timed.",
    )

    @property
    def way(self) -> tuple[str, float]:
        """Strategy and share of the tokens."""
        return self.strategy, self.keep

    @property
    def place(self) -> tuple[str, str]:
        """Video and question, which pair the answers of two ways."""
        return self.video, self.question


@dataclass(frozen=True, kw_only=True)
class AnswerLog:
    """A log that was read, or one that answers are added to."""

    run: Run
    answers: list[Answered] = field(default_factory=list)

    @classmethod
    def opened(cls, path: Path, run: Run) -> Self:
        """Returns the log in a file to go on with; a new one where there is no file.

        Raises:
            InvalidOptionError: the file is of a run with other settings.
        """
        found = cls.read(path) if path.exists() else cls(run=run)
        names = run.settings.keys() | found.run.settings.keys()
        ours, theirs = run.settings, found.run.settings
        if other := [name for name in sorted(names) if ours.get(name) != theirs.get(name)]:
            given = ", ".join(
                f"{name}={ours.get(name)!r} and not {theirs.get(name)!r}" for name in other
            )
            raise InvalidOptionError(
                f"{str(path)!r} holds a run of other settings, as now {given}; give another file, "
                "or remove this one"
            )
        # What was cut off when the run broke off must not stay in the middle.
        lines = [model.model_dump_json() for model in (found.run, *found.answers)]
        write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
        return found

    def add(self, path: Path, answers: Sequence[Answered]) -> None:
        """Writes answers to the end of the log and of its file."""
        with path.open("a") as file:
            file.writelines(f"{answer.model_dump_json()}\n" for answer in answers)
        self.answers.extend(answers)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Returns the log in a file.

        A last line that was cut off when a run was broken off is left out.

        Raises:
            InvalidOptionError: a line is no answer; names the line and the field.
        """
        lines = path.read_text().splitlines()
        if not lines:
            raise InvalidOptionError(
                f"{str(path)!r} is empty; it must begin with a line about the run"
            )
        run = _parsed(Run, lines[0], path, 1)
        answers = []
        for number, line in enumerate(lines[1:], start=2):
            if number == len(lines) and not _is_whole(line):
                break
            answers.append(_parsed(Answered, line, path, number))
        return cls(run=run, answers=answers)


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _parsed(kind: type[T], line: str, path: Path, number: int) -> T:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise InvalidOptionError(f"{path}, line {number}: {place}: {first['msg']}") from error
