"""Work on several items at once in threads, as far as the work is waiting for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final, TypeVar

from framesift.run import report_progress

Item = TypeVar("Item")
Made = TypeVar("Made")

STEP_SECONDS: Final = 0.1
"""How often the thread that waits looks whether the work is to end."""
_stop: ContextVar[Event | None] = ContextVar("framesift_side_by_side", default=None)
LAST_SECONDS: Final = 5.0
"""How long the ends of items in work are waited for when one has failed: they may be paid for."""


def paused(seconds: float) -> None:
    """Waits; in a thread of `side_by_side` no longer than its work goes on."""
    (_stop.get() or Event()).wait(seconds)


def is_over() -> bool:
    """Whether this is a thread of `side_by_side` whose work has ended."""
    stop = _stop.get()
    return stop is not None and stop.is_set()


def side_by_side(
    work: Callable[[Item], Made], items: Sequence[Item], most: int, stage: str
) -> Iterator[tuple[int, Made]]:
    """Yields the number of each item and what was made of it, in the order in which they end.

    After the first error no further item is begun, and what waits by `paused` goes on at once.
    Threads do not keep the process alive.

    Args:
        work: called in several threads.
        items: what it is called with.
        most: items in work at a time.
        stage: what progress is reported as; a time limit ends the work.
    """
    ended: SimpleQueue[tuple[int, Made | None, BaseException | None]] = SimpleQueue()
    waiting, guard, stop = iter(enumerate(items)), Lock(), Event()

    def worker() -> None:
        _stop.set(stop)
        while not stop.is_set():
            with guard:
                number, item = next(waiting, (None, None))
            if number is None:
                return
            try:
                ended.put((number, work(item), None))  # type: ignore[arg-type]
            except BaseException as error:
                ended.put((number, None, error))

    threads = [Thread(target=worker, daemon=True) for _ in range(min(most, len(items)))]
    for thread in threads:
        thread.start()
    try:
        for done in range(len(items)):
            number, made, error = _next(ended, done, len(items), stage)
            if error is not None:
                raise error
            yield number, made  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join(LAST_SECONDS / len(threads))


def _next(
    ended: SimpleQueue[tuple[int, Made | None, BaseException | None]],
    done: int,
    total: int,
    stage: str,
) -> tuple[int, Made | None, BaseException | None]:
    while True:
        report_progress(stage, done, total)
        try:
            return ended.get(timeout=STEP_SECONDS)
        except Empty:
            continue
