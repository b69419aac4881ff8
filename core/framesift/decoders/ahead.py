"""Takes items in a thread of its own, a little ahead of whoever works on them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from time import perf_counter
from typing import Final, Generic, Self, TypeVar

from framesift.errors import DecodeError
from framesift.run import Progress, on_progress, report_progress
from framesift.types.video import Warn

Item = TypeVar("Item")

MOST_AHEAD: Final = 2
"""Items that are made, or being made, while the one before is worked on."""
CHECK_SECONDS: Final = 1.0
"""How often a reader that waits looks whether the thread is still there: a fork has none."""

_has_reader: ContextVar[Callable[[], bool]] = ContextVar(
    "framesift_has_reader", default=lambda: True
)


def has_reader() -> bool:
    """Returns whether somebody still waits for what this thread decodes.

    Loops of decoders end where it is false, so that nobody who leaves early waits for long. It is
    always true outside of a thread that reads ahead.
    """
    return _has_reader.get()()


@dataclass(slots=True)
class _Shared(Generic[Item]):
    """What the thread and its reader have in common.

    Only `SimpleQueue` is safe where a garbage collection, in either thread, closes the reader.
    """

    steps: SimpleQueue[_Made[Item] | _Ended | Progress | str]
    """What the thread has for the reader; a `str` is a warning."""
    places: SimpleQueue[None]
    """One for each item that may be made ahead."""
    is_left: bool = False
    """Whether the reader has left."""
    seconds: float = 0.0
    """What making items took."""


@dataclass(frozen=True, slots=True)
class _Made(Generic[Item]):
    item: Item


@dataclass(frozen=True, slots=True)
class _Ended:
    error: BaseException | None = field(default=None)


class ReadAhead(Generic[Item]):
    """Yields items that a thread makes ahead of their reader; `close` stops and joins it.

    The order is the reader's: items, warnings and steps of progress come to it one after the other,
    in its own thread, and an error behind all that was made before. The thread has a copy of the
    context, so a time limit holds there too.
    """

    def __init__(self, start: Callable[[Warn], Iterable[Item]], *, warn: Warn) -> None:
        """Starts the thread.

        Args:
            start: returns the items; it is given what takes their warnings.
            warn: called with each warning, by the reader.
        """
        self._warn: Final = warn
        self._is_finished = False
        self._shared: Final = _Shared[Item](steps=SimpleQueue(), places=SimpleQueue())
        for _ in range(MOST_AHEAD):
            self._shared.places.put(None)
        items = iter(start(self._shared.steps.put))
        self._thread: Final = Thread(
            target=copy_context().run,
            args=(_work, self._shared, items),
            name="framesift-decode",
            daemon=True,  # at exit it is joined by the line below, not waited for
        )
        self._at_end: Final = weakref.finalize(self, _leave, self._shared, self._thread)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """What making the items took so far, in the thread."""
        return self._shared.seconds

    def close(self) -> None:
        """Stops the thread and waits for its end; whatever it had made is dropped."""
        _leave(self._shared, self._thread)  # again, where Ctrl-C broke off an earlier call
        self._at_end.detach()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        while not self._is_finished:
            step = self._next_step()
            if isinstance(step, _Made):
                self._shared.places.put(None)
                return step.item
            if isinstance(step, Progress):
                report_progress(step.stage, step.done, step.total, step.unit)
            elif isinstance(step, str):
                self._warn(step)
            else:
                self._is_finished = True
                self.close()
                if step.error is not None:
                    try:
                        raise step.error
                    finally:
                        del step  # the traceback holds this frame
        raise StopIteration

    def _next_step(self) -> _Made[Item] | _Ended | Progress | str:
        while not self._shared.is_left:
            try:
                return self._shared.steps.get(timeout=CHECK_SECONDS)
            except Empty:
                if not self._thread.is_alive() and self._shared.steps.empty():
                    break
        raise DecodeError(
            "the thread that decodes is gone, as the video was closed or the process forked; open "
            "the video again where its frames are read"
        )


def _work(shared: _Shared[Item], items: Iterator[Item]) -> None:
    """Makes items while there are places for them and a reader."""
    _has_reader.set(lambda: not shared.is_left)
    ended = _Ended()
    try:
        with on_progress(shared.steps.put):
            while _make_next(shared, items):
                pass
    except BaseException as error:  # it is the reader's
        ended = _Ended(error)
    finally:
        # A file is closed by the thread that reads it, before anybody may remove the file.
        close = getattr(items, "close", lambda: None)
        try:
            close()
        except BaseException as error:
            ended = _Ended(ended.error or error)
        shared.steps.put(ended)
        del ended


def _make_next(shared: _Shared[Item], items: Iterator[Item]) -> bool:
    """Makes one item once there is a place for it; returns whether there may be more."""
    shared.places.get()
    if shared.is_left:
        return False
    start = perf_counter()
    try:
        item = next(items)
    except StopIteration:
        return False
    finally:
        shared.seconds += perf_counter() - start
    shared.steps.put(_Made(item))
    return True


def _leave(shared: _Shared[Item], thread: Thread) -> None:
    """Lets the thread end, and waits for it, unless it is the one that runs this."""
    shared.is_left = True
    shared.places.put(None)
    if thread.is_alive() and thread is not current_thread():
        thread.join()
