"""One call of the public API: its clock, its warnings, its progress and its end.

What a call gathers is its `Run`. The public method makes it and gives it to every step, so what
goes wrong anywhere reaches the result. A call within a call gets `warn=run.warn`: it has a clock of
its own, and its warnings are those of the outer one too.

What the caller wants of all work stands around the calls: `on_progress` names who listens,
`time_limit` when the work must end. Both hold for the thread, since loops of strategies, which know
of no run, must reach them: by `stoppable`, `report_progress` or a `progress_bar`. Each of these
raises where the work is to end, and what it raises passes every step.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TypeVar

from tqdm import tqdm

from framesift.errors import InvalidOptionError, TimeLimitError, calling_back
from framesift.types.options import shown
from framesift.types.text import printable
from framesift.types.video import Warn

Item = TypeVar("Item")

logger = logging.getLogger(__name__)

_NO_SECONDS: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The clock and the warnings of one call, given to every step of it."""

    listener: Warn | None = None
    """Called once with each warning; None logs it."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each stage took so far."""
    warnings: list[str] = field(default_factory=list)
    """What went wrong so far, each line once."""

    def warn(self, line: str) -> None:
        """Keeps a warning and calls the listener with it, unless it is known already."""
        if line not in self.warnings:
            self.warnings.append(line)
            if self.listener is None:
                logger.warning("%s", printable(line))
            else:
                self.listener(line)

    def within(self, name: str = "", seconds: Mapping[str, float] = _NO_SECONDS) -> Run:
        """Returns a run for one of several videos, whose warnings are kept here too.

        Args:
            name: of the video; it stands before each of its lines here. Empty for no name.
            seconds: what stages of it took before.
        """
        if not name:
            return Run(listener=self.warn, seconds=dict(seconds))
        return Run(listener=lambda line: self.warn(f"{name}: {line}"), seconds=dict(seconds))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the seconds spent within to `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def joined(warnings: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Returns the warnings about several videos as one list, each line once.

    Args:
        warnings: name and warnings of each video; if there are several, its name stands before
            each line.
    """
    several = len({name for name, _ in warnings}) > 1
    named = (f"{name}: {line}" if several else line for name, lines in warnings for line in lines)
    return list(dict.fromkeys(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one stage of the work has come."""

    stage: str
    """What is going on, in one word, such as `"download"`, `"encode"`, `"plan"` or `"answer"`."""
    done: float
    """Units finished."""
    total: float | None
    """Number of units, None if unknown."""
    unit: str
    """`"frame"`, `"token"`, `"step"` of a loop, or `"B"` for bytes."""


OnProgress = Callable[[Progress], object]
"""Is called with each step of the work; what it raises ends the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """When the work must have ended, on the monotonic clock, and how long it had."""

    seconds: float
    end: float


_limit: ContextVar[_Limit | None] = ContextVar("framesift_time_limit", default=None)
_listener: ContextVar[OnProgress | None] = ContextVar("framesift_progress", default=None)


@contextmanager
def on_progress(listener: OnProgress) -> Iterator[None]:
    """Calls `listener` with each step of the work within the block, in this thread.

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
        listener: called in the thread that works.
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


def report_progress(stage: str, done: float, total: float | None, unit: str = "frame") -> None:
    """Calls the listener of `on_progress` with how far a stage has come, and keeps the time limit.

    Raises:
        TimeLimitError: the time is over.
    """
    limit = _limit.get()
    if limit is not None and time.monotonic() > limit.end:
        raise TimeLimitError(
            f"the work was stopped at {stage!r} after its limit of {limit.seconds:.3g} s; allow "
            "more time, sample fewer frames or take a faster strategy",
            to_caller=f"the work was stopped at {stage!r} after its limit of {limit.seconds:.3g} "
            "s; give a shorter part of the video (#t=START,END at its end) or a faster strategy",
        )
    listener = _listener.get()
    if listener is not None:
        with calling_back():
            listener(Progress(stage=stage, done=done, total=total, unit=unit))


def stoppable(items: Iterable[Item], stage: str = "plan") -> Iterator[Item]:
    """Yields `items`, and reports each before as a step of `stage`, so that loops can be ended."""
    total = len(items) if isinstance(items, Sized) else None
    for done, item in enumerate(items):
        report_progress(stage, done, total, "step")
        yield item


class ProgressBar:
    """The progress of one stage; its beginning is reported too."""

    def __init__(self, stage: str, total: float | None, unit: str) -> None:
        self._stage, self._total, self._unit = stage, total, unit
        self.done = 0.0
        """Units finished."""
        self._bar: Any = tqdm(
            desc=stage,
            total=total,
            unit=unit,
            unit_scale=unit == "B",
            disable=None if sys.stderr else True,  # None where no terminal is
            leave=False,
            mininterval=0.2,
        )

    def update(self, count: float = 1) -> None:
        """Adds `count` finished units."""
        self.done += count
        self._bar.update(count)
        report_progress(self._stage, self.done, self._total, self._unit)

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

    It is drawn on stderr if that is a terminal, and reported to the listener of `on_progress`.

    Args:
        stage: what is going on, in one word, such as `"download"`.
        total: number of units to come, None if unknown.
        unit: `"B"` scales to kilobytes and megabytes.
    """
    return ProgressBar(stage, total, unit)
