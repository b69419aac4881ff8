"""Reads files of scores: our own lines, BOLT's object and lists of lists as AKS has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from framesift.errors import InvalidOptionError
from framesift.types.options import shown

MOST_BYTES: Final = 256 * 2**20
MOST_NUMBER: Final = 2.0**53
VALUES: Final = ("scores", "labels", "frames")
"""Fields that a line may hold: scores by two names, or the times of the frames that were chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What a file says about one video and one question."""

    where: str
    """What messages call the place."""
    video: str | None
    question: str | None = None
    name: str | None = None
    """What the file calls the question."""
    numbers: tuple[float, ...]
    """The scores, or the times of the frames that were chosen, in seconds."""
    is_choice: bool = False
    times_seconds: tuple[float, ...] | None = None
    """When each score holds; None where the file does not say."""


def read_rated(path: str) -> tuple[Rated, ...]:
    """Returns what a file holds; it is read again when it has changed.

    Raises:
        InvalidOptionError: it cannot be read, is too large, or holds something else.
    """
    return _read(path, *_state(path))


def read_frames(path: str) -> tuple[tuple[int, ...], ...]:
    """Returns the lists of frame numbers of a file, parallel to the lists of scores of another.

    Raises:
        InvalidOptionError: as for `read_rated`.
    """
    return _frames(path, *_state(path))


@lru_cache(maxsize=4)
def _read(path: str, changed: int, size: int) -> tuple[Rated, ...]:
    name, text = Path(path).name, _text(path, size)
    first = text.lstrip()[:1]
    if first == "[":
        rows = _rows(name, _json(name, text))
        found = [
            Rated(
                where=f"row {row} of {name}", video=None, numbers=_numbers(name, f"row {row}", each)
            )
            for row, each in enumerate(rows)
        ]
    elif (whole := _whole(text)) is not None and not whole.keys() & {*VALUES}:
        found = list(_bolt(name, whole))
    else:
        found = list(_lines(name, text))
    if not found:
        raise InvalidOptionError(f"{name!r} holds no scores; give one JSON object a line")
    return tuple(found)


@lru_cache(maxsize=4)
def _frames(path: str, changed: int, size: int) -> tuple[tuple[int, ...], ...]:
    name = Path(path).name
    rows = _rows(name, _json(name, _text(path, size)))
    found = [_numbers(name, f"row {row}", each) for row, each in enumerate(rows)]
    for row, numbers in enumerate(found):
        if wrong := [number for number in numbers if number < 0 or number != int(number)]:
            raise InvalidOptionError(
                f"row {row} of {name!r} holds {wrong[0]:g}; frame numbers are whole, from 0 up"
            )
    return tuple(tuple(map(int, numbers)) for numbers in found)


def _state(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
        if not Path(path).is_file():
            raise OSError("it is a folder" if Path(path).is_dir() else "it is a device or a pipe")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidOptionError(
            f"{Path(path).name!r} cannot be read ({reason}); pass the path of a file of scores"
        ) from error
    return status.st_mtime_ns, status.st_size


def _text(path: str, size: int) -> str:
    name = Path(path).name
    if size > MOST_BYTES:
        raise InvalidOptionError(
            f"{name!r} has {size} bytes, at most {MOST_BYTES} are read; split it by video"
        )
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOptionError(
            f"{name!r} cannot be read ({str(error)[:100]}); pass JSON, in UTF-8"
        ) from error


def _whole(text: str) -> dict[str, Any] | None:
    """Returns the one object that a text is, None where it is lines of several or damaged."""
    try:
        value = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json(name: str, text: str, line: int | None = None) -> Any:
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        where = f"{name!r}" if line is None else f"line {line} of {name!r}"
        reason = str(error).splitlines()[0][:100]
        raise InvalidOptionError(
            f"{where} is not JSON ({reason}); mend it or make it anew"
        ) from error


def _refused(constant: str) -> float:
    raise ValueError(f"it holds {constant}, which is no number")


def _rows(name: str, value: Any) -> list[Any]:
    """Returns the lists of a list of lists; a list of numbers is one of them."""
    if not isinstance(value, list) or not value:
        raise InvalidOptionError(f"{name!r} must be a list of lists of numbers, one a question")
    return value if all(isinstance(each, list) for each in value) else [value]


def _lines(name: str, text: str) -> Iterator[Rated]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        entry, where = _json(name, line, number), f"line {number}"
        fields = [field for field in VALUES if isinstance(entry, dict) and field in entry]
        if not fields or not isinstance(entry.get("video"), str):
            raise InvalidOptionError(
                f"{where} of {name!r} must be an object with video, times_seconds and scores, such "
                'as {"video": "a.mp4", "times_seconds": [0, 1], "scores": [0.2, 0.9]}'
            )
        times = entry.get("times_seconds")
        yield Rated(
            where=f"{where} of {name}",
            video=entry["video"],
            question=_text_of(entry.get("question")),
            name=_text_of(entry.get("question_id")),
            numbers=_numbers(name, where, entry[fields[0]]),
            is_choice=fields[0] == "frames",
            times_seconds=None if times is None else _numbers(name, where, times, ascending=True),
        )


def _bolt(name: str, videos: dict[str, Any]) -> Iterator[Rated]:
    for video, questions in videos.items():
        where = f"video {shown(video)}"
        if not isinstance(questions, list) or not all(
            isinstance(entry, dict) and "frames" in entry for entry in questions
        ):
            raise InvalidOptionError(
                f"{where} of {name!r} must be a list of objects with question and frames, as BOLT "
                "writes them; or give one object a line, with video, times_seconds and scores"
            )
        for entry in questions:
            yield Rated(
                where=f"{where} of {name}",
                video=video,
                question=_text_of(entry.get("question")),
                name=_text_of(entry.get("question_id")),
                numbers=_numbers(name, where, entry["frames"]),
                is_choice=True,
            )


def _text_of(value: Any) -> str | None:
    return None if value is None else str(value)


def _numbers(name: str, where: str, value: Any, *, ascending: bool = False) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidOptionError(f"{where} of {name!r} has {shown(value)} for a list of numbers")
    for number in value:
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not abs(number) <= MOST_NUMBER:
            raise InvalidOptionError(
                f"{where} of {name!r} holds {shown(number)}; scores and times are finite numbers"
            )
    if ascending and value != sorted(value):
        raise InvalidOptionError(f"{where} of {name!r} has times that do not ascend; sort them")
    return tuple(map(float, value))
