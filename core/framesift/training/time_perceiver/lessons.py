"""What the TimePerceiver learns from: videos as their tower sees them, with questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A question about a video, or the request to describe it, with what is to be answered."""

    question: str
    answer: str
    kind: str = "other"
    """What it asks for, under which it is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtVideo:
    """One video with its lessons."""

    address: str
    times_seconds: tuple[float, ...]
    """Of its frames, ascending."""
    lessons: Sequence[Lesson]
    features: Callable[[], Tensor]
    """Returns what the network reads of the frames, `(T, N, C)`."""
    is_synthetic: bool = False
    """Whether questions are those of `synthetic://`, which are put into other words at random."""
