"""Streams of the command that whoever began it has closed, such as by `2>&-`."""

from __future__ import annotations

import os
import sys
from typing import Final

NAMES: Final = ("stdin", "stdout", "stderr")
"""In the order of their numbers."""


def open_streams() -> None:
    """Opens the standard streams that are closed, on nothing.

    Else the next pipe or socket gets the number of one, and a library that complains writes to it.
    """
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))
