"""Progress of long work: a bar on a terminal, a listener for servers, and a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from numbers import Real
from types import TracebackType
from typing import Any, Self, TypeVar

from tqdm import tqdm

from framesift.errors import InvalidOptionError, TimeLimitError, calling_back
from framesift.types.options import shown

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one stage of the work has come."""

    stage: str
    """What is going on, in one word, such as `"download"`, `"encode"`, `"plan"` or `"answer"`."""
    done: float
    """Units finished."""
    total: float | None
    """Units there are, None where nobody knows."""
    unit: str
    """`"frame"`, `"token"`, `"step"` of a loop, or `"B"` for bytes."""


OnProgress = Callable[[Progress], object]
"""Is told each step of the work; what it raises ends the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """When the work must have ended, on the monotonic clock, and how long it had."""

    seconds: float
    end: float


_limit: ContextVar[_Limit | None] = ContextVar("framesift_time_limit", default=None)
_listener: ContextVar[OnProgress | None] = ContextVar("framesift_progress", default=None)


@contextmanager
def on_progress(listener: OnProgress) -> Iterator[None]:
    """Tells `listener` each step of what runs within the block, in this thread.

    What it raises goes through the work and ends it, after whatever was fetched is removed. So a
    server stops the work of a client that has left: between two windows of frames, two pieces of a
    download, two steps of a plan, two tokens of an answer.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def throttled(listener: OnProgress, seconds: float = 0.2) -> OnProgress:
    """Returns a listener that hands on no more than one step of a stage in `seconds`.

    The first and the last step of each stage are always handed on.

    Args:
        listener: told the steps, in the thread that works.
        seconds: least time between two of them.
    """
    due, stage = 0.0, ""

    def listen(progress: Progress) -> None:
        nonlocal due, stage
        is_new, is_last = progress.stage != stage, progress.done == progress.total
        if is_new or is_last or time.monotonic() >= due:
            due, stage = time.monotonic() + seconds, progress.stage
            listener(progress)

    return listen


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends what runs within the block, in this thread, once `seconds` have passed.

    The work ends at its next step, as a listener of `on_progress` would end it, and a plan that
    would surely take longer than what is left is not begun. Of several limits the nearest holds.

    Args:
        seconds: time that the block may take, above 0.

    Raises:
        TimeLimitError: from within the block; it is a `TimeoutError` too.
    """
    given: Any = seconds
    if isinstance(given, bool) or not isinstance(given, Real) or not float(given) > 0:
        raise InvalidOptionError(
            f"seconds={shown(given)} must be a number above 0: the time that the work may take"
        )
    limit, outer = _Limit(seconds=seconds, end=time.monotonic() + seconds), _limit.get()
    token = _limit.set(limit if outer is None or limit.end < outer.end else outer)
    try:
        yield
    finally:
        _limit.reset(token)


def seconds_left() -> float | None:
    """Returns how long the work may still take, at least 0; None without a time limit."""
    limit = _limit.get()
    return None if limit is None else max(0.0, limit.end - time.monotonic())


def tell(stage: str, done: float, total: float | None, unit: str = "frame") -> None:
    """Tells the listener how far a stage has come, where there is one, and keeps the time limit.

    Raises:
        TimeLimitError: the time is over.
    """
    limit = _limit.get()
    if limit is not None and time.monotonic() > limit.end:
        raise TimeLimitError(
            f"the work was stopped at {stage!r} after its limit of {limit.seconds:.3g} s; allow "
            "more time, sample fewer frames or take a faster strategy"
        )
    listener = _listener.get()
    if listener is not None:
        with calling_back():
            listener(Progress(stage=stage, done=done, total=total, unit=unit))


def stoppable(items: Iterable[Item], stage: str = "plan") -> Iterator[Item]:
    """Yields `items`, and tells before each that it is a step of `stage`, so that loops can end."""
    total = len(items) if isinstance(items, Sized) else None
    for done, item in enumerate(items):
        tell(stage, done, total, "step")
        yield item


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
