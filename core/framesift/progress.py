"""Progress of long work: a bar on a terminal, and a listener for whoever serves somebody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one stage of the work has come."""

    stage: str
    """What is going on, in one word, such as `"download"`, `"encode"` or `"answer"`."""
    done: float
    """Units finished."""
    total: float | None
    """Units there are, None where nobody knows."""
    unit: str
    """`"frame"`, `"token"`, or `"B"` for bytes."""


OnProgress = Callable[[Progress], object]
"""Is told each step of the work; what it raises ends the work."""

_listener: ContextVar[OnProgress | None] = ContextVar("framesift_progress", default=None)


@contextmanager
def on_progress(listener: OnProgress) -> Iterator[None]:
    """Tells `listener` each step of what runs within the block, in this thread.

    What it raises goes through the work and ends it, after whatever was fetched is removed. So a
    server stops the work of a client that has left: between two windows of frames, two pieces of a
    download, two tokens of an answer.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(stage: str, done: float, total: float | None, unit: str = "frame") -> None:
    """Tells the listener how far a stage has come, where there is a listener."""
    listener = _listener.get()
    if listener is not None:
        listener(Progress(stage=stage, done=done, total=total, unit=unit))


class ProgressBar:
    """The progress of one stage; its beginning is told too."""

    def __init__(self, stage: str, total: float | None, unit: str) -> None:
        self._stage, self._total, self._unit = stage, total, unit
        self.done = 0.0
        """Units finished."""
        self._bar: Any = tqdm(
            desc=stage,
            total=total,
            unit=unit,
            unit_scale=unit == "B",
            disable=None,
            leave=False,
            mininterval=0.2,
        )

    def update(self, count: float = 1) -> None:
        """Adds `count` finished units."""
        self.done += count
        self._bar.update(count)
        tell(self._stage, self.done, self._total, self._unit)

    def __enter__(self) -> Self:
        try:
            self.update(0)
        except BaseException:
            self._bar.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()


def progress_bar(stage: str, *, total: float | None = None, unit: str = "frame") -> ProgressBar:
    """Returns a bar for one stage; use it in a `with` block and call `update(n)`.

    On a terminal it shows on stderr, and the listener of `on_progress` is told wherever it is.

    Args:
        stage: what is going on, in one word, such as `"download"`.
        total: number of units to come, None where nobody knows.
        unit: `"B"` scales to kilobytes and megabytes.
    """
    return ProgressBar(stage, total, unit)
