"""Reads labels of frames: lines of JSON, one for each question about a video."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from framesift.errors import InvalidOptionError
from framesift.types.options import shown

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
        paths: files with a JSON object a line, as `framesift label` writes them.
        target: which labels of each frame are taken.

    Raises:
        InvalidOptionError: a line is not such an object, or has labels of another number than
            frames.
    """
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                found.append(_read(line, target, f"line {number} of {path.name!r}"))
    if not found:
        names = ", ".join(repr(path.name) for path in paths)
        raise InvalidOptionError(f"there is no label in {names}; run `framesift label` first")
    return found


def is_held_out(video: str, share: float, seed: int) -> bool:
    """Returns whether a video measures the network instead of training it: always the same ones."""
    digest = hashlib.sha256(f"{seed} {video}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _read(line: str, target: Target, place: str) -> LabeledQuestion:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidOptionError(f"{place} is not JSON; remove it") from error
    if not isinstance(entry, dict):
        raise InvalidOptionError(f"{place} must hold an object, not {shown(entry)}")
    texts = {name: entry.get(name) for name in ("video", "question")}
    for name, text in texts.items():
        if not (isinstance(text, str) and text.strip()):
            raise InvalidOptionError(f"{place} has {name}={shown(text)}, which must be text")
    times = _numbers(entry.get("times_seconds"), "times_seconds", place, most=math.inf)
    if not times or any(one >= other for one, other in pairwise(times)):
        raise InvalidOptionError(f"{place} must have at least one of times_seconds, ascending")
    if entry.get(target) is None:
        raise InvalidOptionError(
            f"{place} has no {target!r} labels; label with a judge that gives them, or take "
            "another target"
        )
    labels = _numbers(entry[target], target, place, most=1.0)
    if len(labels) != len(times):
        raise InvalidOptionError(
            f"{place} has {len(labels)} {target!r} for {len(times)} frames; they must be one a "
            "frame: label the video again"
        )
    answer = entry.get("answer")
    return LabeledQuestion(
        video=str(texts["video"]),
        question=str(texts["question"]),
        times_seconds=times,
        labels=labels,
        answer=answer if isinstance(answer, str) and answer.strip() else None,
    )


def _numbers(values: Any, name: str, place: str, most: float) -> tuple[float, ...]:
    if isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
        for value in values
    ):
        numbers = tuple(float(value) for value in values)
        if all(math.isfinite(value) for value in numbers):
            return numbers
    raise InvalidOptionError(
        f"{place} has {name}={shown(values)}, which must be a list of numbers from 0 to {most:g}"
    )
