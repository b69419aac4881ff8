"""The sections of a run, each of which may fail without the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from framesift.evaluation.gpu.clock import DeviceClock

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class Sections:
    """Runs sections, and notes which of them failed and why."""

    clock: DeviceClock
    progress: Callable[[str], object]
    """Called with the name of a section before it begins."""
    done: Callable[[], object]
    """Called after each section, so that nothing is lost of those before."""
    failures: list[dict[str, str]] = field(default_factory=list)
    """Names and errors of those that failed."""

    def run(self, name: str, work: Callable[[], Result]) -> Result | None:
        """Returns what a section measured; None where it failed."""
        self.progress(name)
        return self.tried(name, work)

    def tried(self, name: str, work: Callable[[], Result]) -> Result | None:
        """Returns what a part of a section measured; None where it failed."""
        try:
            return work()
        except Exception as error:
            # Whatever the device, its driver or a compiler raises: the other figures stand.
            self.failures.append({"section": name, "error": _line(error)})
        self.clock.free()
        return None

    def keep(self, into: list[Result], measured: Result | None) -> None:
        """Adds what was measured to its list, and says that a section is done."""
        if measured is not None:
            into.append(measured)
        self.done()


def _line(error: Exception) -> str:
    """Returns an error in one line; memory by its name, since drivers tell it in paragraphs."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, torch.OutOfMemoryError):
        return "the device has no memory for it"
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
