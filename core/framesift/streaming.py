"""An answer that arrives piece by piece from the thread that generates it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Event, Thread

from framesift.generation import OnText
from framesift.types.answer import Answer


class AnswerStream(Iterator[str]):
    """The pieces of an answer; together they are its text.

    The work begins with the first piece and does not wait for the reader, so that a lock which the
    work holds is given back however slowly the pieces are read. An error of the work is raised
    after the pieces that came before it.
    """

    def __init__(self, work: Callable[[OnText, Event], Answer]) -> None:
        """Takes the work, which tells its pieces and heeds the event that cancels it."""
        self.answer: Answer | None = None
        """The whole answer, once the last piece was read or the stream was closed in time."""
        self._work = work
        self._pieces = SimpleQueue[str | None]()
        self._cancelled = Event()
        self._error: BaseException | None = None
        self._worker: Thread | None = None
        self._ended = False

    def __next__(self) -> str:
        if self._ended:
            raise StopIteration
        if self._worker is None:
            # The worker tells progress to the listener of whoever reads.
            run = copy_context().run
            self._worker = Thread(target=run, args=(self._run,), daemon=True)
            self._worker.start()
        piece = self._pieces.get()
        if piece is not None:
            return piece
        self._ended = True
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Ends the answer after the token in work; safe to call twice and after the end."""
        self._ended = True
        self._cancelled.set()
        if self._worker is not None:
            self._worker.join()

    def _run(self) -> None:
        try:
            self.answer = self._work(self._pieces.put, self._cancelled)
        except BaseException as error:
            self._error = error
        finally:
            self._pieces.put(None)
