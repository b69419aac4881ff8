"""An end by SIGTERM that cleans up as one by Ctrl-C does, for whoever owns the process."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import current_thread, main_thread
from types import FrameType
from typing import Final

from framesift.disk import temporary

EXIT_CODE: Final = 128 + signal.SIGTERM
GRACE_SECONDS: Final = 5.0
"""How long the work may take to unwind before the process ends without it."""


class Terminated(SystemExit):
    """Raised in the main thread where SIGTERM arrives; unwinds the work like Ctrl-C."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


@contextmanager
def unwound_by_sigterm(grace_seconds: float = GRACE_SECONDS) -> Iterator[None]:
    """Lets SIGTERM raise `Terminated` within the block, so that whatever was begun is undone.

    A thread that does not end in time, such as one that waits for input, is left behind: the
    process exits with 143 all the same. Its temporary folders go, and what it started and has not
    ended is killed. Where the signal is ignored it stays ignored.

    Args:
        grace_seconds: time to unwind.
    """
    if current_thread() is not main_thread() or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return

    def unwind(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not tear the cleaning
        end_within(grace_seconds)
        raise Terminated

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    except Terminated:
        _kill_children()
        raise  # the signal stays ignored to the end
    except BaseException:
        signal.signal(signal.SIGTERM, before)
        raise
    else:
        signal.signal(signal.SIGTERM, before)


def end_within(seconds: float, code: int = EXIT_CODE) -> None:
    """Ends the process with `code` after `seconds`, or as soon as its work has unwound.

    The interpreter is not taken apart: no thread runs while that is done, so that nothing could
    end it, and with a model loaded it lasts for seconds.
    """

    def end() -> None:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with suppress(OSError, ValueError):
                stream.flush()
        _leave(code)

    def wait() -> None:
        time.sleep(seconds)
        _leave(code)  # without a flush, which may wait for who reads, or for another thread

    atexit.register(end)
    _thread.start_new_thread(wait, ())


def _leave(code: int) -> None:
    _kill_children()
    temporary.remove_all()
    os._exit(code)


def _kill_children() -> None:
    for child in _children():
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)


def _children() -> list[int]:
    """Returns the processes that this one started and that still run, where there is `/proc`."""
    children, own = [], str(os.getpid())
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            # The name stands in brackets and may hold anything; then state and parent follow.
            parent = path.read_text(errors="replace").rpartition(")")[2].split()[1]
            if parent == own:
                children.append(int(path.parent.name))
    return children
