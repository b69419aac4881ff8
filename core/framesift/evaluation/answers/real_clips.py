"""Twenty multiple-choice questions about five real clips, with when and where the answer is seen.

A proof of concept: twenty questions separate a broken method from a working one, and no more.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from framesift.disk.writing import as_path, read_file, write_atomically
from framesift.errors import DownloadError, UnsupportedSourceError
from framesift.evaluation.answers.log import json_lines, parsed
from framesift.fetching.limits import FetchLimits
from framesift.sources.base import open_video

QUESTIONS: Final = "real_clips.jsonl"
CLIPS: Final = "real_clips.json"
LETTERS: Final = "ABCDEFGH"


class RealQuestion(BaseModel):
    """A question about a real clip and its evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    clip: str = Field(description="File name of the clip.")
    question: str
    choices: list[str] = Field(min_length=2)
    answer: str = Field(description="One of the choices.")
    start_seconds: float = Field(ge=0)
    end_seconds: float
    box: tuple[float, float, float, float] = Field(
        description="Where it is seen: (x0, y0, x1, y1) as parts of the picture's size."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> RealQuestion:
        x0, y0, x1, y1 = self.box
        if self.answer not in self.choices:
            raise ValueError(f"answer {self.answer!r} must be one of the choices {self.choices}")
        if not self.start_seconds < self.end_seconds:
            raise ValueError(f"start {self.start_seconds} must be before end {self.end_seconds}")
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise ValueError(f"box {self.box} must be (x0, y0, x1, y1) within [0, 1]")
        return self

    @property
    def prompt(self) -> str:
        """The question with lettered choices, as a model is asked."""
        lines = [f"{letter}. {text}" for letter, text in zip(LETTERS, self.choices, strict=False)]
        return "\n".join([self.question, *lines, "Answer with the letter of the right choice."])

    def is_right(self, reply: str) -> bool:
        """Returns whether an answer names the right choice, by its letter or in its words."""
        reply = reply.strip().rstrip(".").casefold()
        letter = LETTERS[self.choices.index(self.answer)].casefold()
        words = reply.replace(")", " ").replace(".", " ").replace(":", " ").split()
        return reply == self.answer.casefold() or words[:1] == [letter]


class RealClip(BaseModel):
    """Where a clip comes from and how to know it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    sha256: str
    licence: str


def read_questions(path: str | os.PathLike[str] | None = None) -> list[RealQuestion]:
    """Returns the questions of a JSON-lines file; the twenty that come along by default.

    Raises:
        InvalidOptionError: a line is not a question; names the line and the field.
    """
    content = _own(QUESTIONS).encode() if path is None else read_file(path)
    name = QUESTIONS if path is None else as_path(path)
    numbered = enumerate(json_lines(content), start=1)
    return [parsed(RealQuestion, line, name, number) for number, line in numbered]


@cache
def known_clips() -> dict[str, RealClip]:
    """Returns the five clips by file name."""
    clips = (RealClip.model_validate(clip) for clip in json.loads(_own(CLIPS)))
    return {clip.name: clip for clip in clips}


def checked_clips(folder: str | os.PathLike[str], names: Sequence[str]) -> dict[str, Path]:
    """Returns the files of clips in a folder, each with the checksum it should have.

    Raises:
        UnsupportedSourceError: a clip is missing or another file; says where it is found.
    """
    folder, paths = as_path(folder, "folder"), {}
    for name in dict.fromkeys(names):
        path, clip = folder / name, known_clips().get(name)
        if not path.is_file():
            where = f"; fetch it from {clip.url} or pass --fetch" if clip else ""
            raise UnsupportedSourceError(f"{str(path)!r} is missing{where}")
        if clip is not None and (checksum := _sha256(path.read_bytes())) != clip.sha256:
            raise UnsupportedSourceError(
                f"{str(path)!r} has sha256 {checksum[:16]}..., not {clip.sha256[:16]}...; it is "
                f"another file than {clip.url}"
            )
        paths[name] = path
    return paths


def fetch_clips(folder: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Downloads the clips that a folder lacks.

    Raises:
        DownloadError: what came is not the clip.
    """
    folder = as_path(folder, "folder")
    for name in dict.fromkeys(names):
        clip = known_clips().get(name)
        if clip is None or (folder / name).is_file():
            continue
        with open_video(clip.url, FetchLimits()) as video:
            assert video.path is not None
            content = video.path.read_bytes()
        if _sha256(content) != clip.sha256:
            raise DownloadError(f"{clip.url} is no longer {name}: another checksum")
        write_atomically(folder / name, content)


def _own(name: str) -> str:
    return (files("framesift.evaluation.answers") / "questions" / name).read_text()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
