"""Files that say which frames of a video each question of a benchmark is answered from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from framesift.errors import InvalidOptionError

BOLT_KEY: Final = "question_id"
"""Field by which BOLT's files name a question."""

Key = tuple[str | None, str]
"""Task, or None for every task, and the name of the question in it."""


@dataclass(frozen=True, kw_only=True)
class FrameIndexFile:
    """Times of frames by task and question, read from a file.

    Either JSON lines, `{"task": "videomme", "doc": 17, "frames": [1.0, 2.5]}`, where `doc` is the
    number of the sample in its split or the value of the field `doc_key`; or the JSON object that
    BOLT (https://arxiv.org/abs/2503.21483) writes: a list of `{"question_id", "frames"}` for each
    video. Times are in seconds, on the clock of the video.
    """

    path: Path
    doc_key: str | None
    """Field of a sample that names it; None for its number."""
    entries: Mapping[Key, tuple[float, ...]]

    @classmethod
    def read(cls, path: str | Path, doc_key: str | None = None) -> FrameIndexFile:
        """Returns what a file holds.

        Args:
            path: the file.
            doc_key: field of a sample that names it; None for its number, or for `question_id`
                where the file is BOLT's.

        Raises:
            InvalidOptionError: the file cannot be read or holds something else; names the place.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidOptionError(
                f"frame_index_file={str(path)!r} cannot be read ({error}); pass a text file"
            ) from error
        whole = _whole_object(text)
        if whole is None:
            rows = _lines(path, text)
        else:
            rows, doc_key = _bolt(path, whole), doc_key or BOLT_KEY
        entries: dict[Key, tuple[float, ...]] = {}
        for where, key, seconds in rows:
            if entries.setdefault(key, seconds) != seconds:
                raise InvalidOptionError(
                    f"{where} names other frames for {key[1]!r} than the file did before; keep one"
                )
        return cls(path=path, doc_key=doc_key, entries=entries)

    def seconds(self, task: str, doc: Mapping[str, Any], doc_id: int) -> tuple[float, ...]:
        """Returns the times of the frames for a sample, ascending, each once.

        Args:
            task: name of the task.
            doc: the sample.
            doc_id: its number in the split.

        Raises:
            InvalidOptionError: the file does not name the sample.
        """
        if self.doc_key is not None and self.doc_key not in doc:
            raise InvalidOptionError(
                f"samples of {task!r} have no field doc_key={self.doc_key!r}, only "
                f"{', '.join(map(repr, doc))}; name the one that {str(self.path)!r} goes by"
            )
        name = str(doc_id if self.doc_key is None else doc[self.doc_key])
        for key in ((task, name), (None, name)):
            if key in self.entries:
                return self.entries[key]
        by = "" if self.doc_key is None else f" of {self.doc_key!r}"
        raise InvalidOptionError(
            f"{str(self.path)!r} names no frames for sample {name!r}{by} of {task!r}; make it over "
            "the same samples, or set doc_key to the field it goes by"
        )


def append_frames(path: str | Path, task: str, doc: int | str, seconds: Sequence[float]) -> None:
    """Adds the frames of one sample to a file that `FrameIndexFile.read` takes."""
    line = {"task": task, "doc": doc, "frames": [round(time, 6) for time in seconds]}
    written = f"{json.dumps(line)}\n".encode()
    with Path(path).open("a+b", buffering=0) as file:
        file.seek(0)
        rest = file.read().rpartition(b"\n")[2]
        if rest and _is_json(rest):
            written = b"\n" + written
        elif rest:  # a process was killed while it wrote the last line
            file.truncate(file.tell() - len(rest))
        file.write(written)  # in one call, so that several processes may add to it


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _whole_object(text: str) -> dict[str, Any] | None:
    """Returns the file as BOLT's one object, or None where it is lines."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "frames" not in value else None


def _lines(path: Path, text: str) -> Iterator[tuple[str, Key, tuple[float, ...]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{str(path)!r} line {number}"
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise InvalidOptionError(f"{where} is not JSON ({error}); give one object") from error
        if not isinstance(entry, dict) or not {"task", "doc", "frames"} <= entry.keys():
            raise InvalidOptionError(
                f"{where} must be an object with task, doc and frames, such as "
                '{"task": "videomme", "doc": 17, "frames": [1.0, 2.5]}'
            )
        yield where, (str(entry["task"]), str(entry["doc"])), _times(where, entry["frames"])


def _bolt(path: Path, videos: dict[str, Any]) -> Iterator[tuple[str, Key, tuple[float, ...]]]:
    for video, questions in videos.items():
        where = f"{str(path)!r}, video {video!r},"
        named = isinstance(questions, list) and all(
            isinstance(entry, dict) and {BOLT_KEY, "frames"} <= entry.keys() for entry in questions
        )
        if not named:
            raise InvalidOptionError(
                f"{where} must be a list of objects with {BOLT_KEY} and frames, as BOLT writes "
                "them; or give JSON lines"
            )
        for entry in questions:
            yield where, (None, str(entry[BOLT_KEY])), _times(where, entry["frames"])


def _times(where: str, frames: object) -> tuple[float, ...]:
    if not isinstance(frames, list) or not frames or not all(map(_is_time, frames)):
        raise InvalidOptionError(
            f"{where} has frames={frames!r}; give at least one time, each in seconds from 0 up"
        )
    return tuple(sorted({float(time) for time in frames}))


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= 0
