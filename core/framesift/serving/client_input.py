"""The end of a process that serves one client: soon after that has gone, or a signal has come."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from framesift.serving.termination import end_within, unwound_by_sigterm

SOON_SECONDS: Final = 1.5
"""How long work may take to end; the thread that reads from the client never does by itself."""


@contextmanager
def ending_soon() -> Iterator[None]:
    """Has SIGTERM and SIGINT unwind the work in the block, and ends the process if it does not."""

    def interrupt(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not tear the cleaning
        end_within(SOON_SECONDS, 128 + signal.SIGINT)
        raise KeyboardInterrupt

    with unwound_by_sigterm(SOON_SECONDS):
        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)


class ClientInput(io.RawIOBase):
    """Standard input, whose end is the end of the process as well."""

    def __init__(self) -> None:
        """Takes standard input; whatever else reads it finds nothing."""
        self._handle = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    @classmethod
    def taken(cls) -> io.TextIOWrapper:
        """Returns standard input as text."""
        return io.TextIOWrapper(io.BufferedReader(cls()), encoding="utf-8", errors="replace")

    def readable(self) -> bool:
        """Returns that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads what there is; once there is nothing more, the process has little time left."""
        try:
            data = os.read(self._handle, len(buffer))
        except OSError:  # a terminal that has gone
            data = b""
        buffer[: len(data)] = data
        if not data:
            end_within(SOON_SECONDS, 0)
        return len(data)
