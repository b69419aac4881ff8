"""An answer that arrives piece by piece from the thread that generates it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Event, Thread, current_thread

from framesift.answering.generation import OnText
from framesift.hf.model_use import is_user
from framesift.types.answer import Answer


class AnswerStream(Iterator[str]):
    """The pieces of an answer; together they are its text.

    The work begins with the first piece and does not wait for the reader, so that a model which the
    work holds is free again however slowly the pieces are read. A stream that is dropped is
    cancelled. An error of the work is raised after the pieces that came before it.
    """

    def __init__(self, work: Callable[[OnText, Event], Answer]) -> None:
        """Takes the work: it passes its pieces to a function and ends once an event is set."""
        self._work = _Work(work)
        self._worker: Thread | None = None
        self._ended = False

    @property
    def answer(self) -> Answer | None:
        """The whole answer, once the last piece was read or the stream was closed in time."""
        return self._work.answer

    def __next__(self) -> str:
        if self._ended:
            raise StopIteration
        if self._worker is None and is_user():
            # Another thread would wait for what this one holds, as within `on_text`.
            self._worker = current_thread()
            self._work.run()
        elif self._worker is None:
            # The worker reports progress to the listener of whoever reads. It holds no reference
            # to the stream, which may be dropped before the work ends.
            run = copy_context().run
            self._worker = Thread(target=run, args=(self._work.run,), daemon=True)
            self._worker.start()
        piece = self._work.pieces.get()
        if piece is not None:
            return piece
        self._ended = True
        if self._work.error is not None and not self._work.cancelled.is_set():
            raise self._work.error
        raise StopIteration

    def close(self) -> None:
        """Ends the answer after the token in work; safe to call twice and after the end."""
        self._ended = True
        self._work.cancelled.set()
        # The worker itself may be the one that clears a stream away.
        if self._worker is not None and self._worker is not current_thread():
            self._worker.join()

    def __del__(self) -> None:
        self._work.cancelled.set()


class _Work:
    """What stream and worker share."""

    def __init__(self, work: Callable[[OnText, Event], Answer]) -> None:
        self.pieces = SimpleQueue[str | None]()
        self.cancelled = Event()
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self._work = work

    def run(self) -> None:
        try:
            self.answer = self._work(self.pieces.put, self.cancelled)
        except BaseException as error:
            self.error = error
        finally:
            self.pieces.put(None)
