"""How much memory each stage of one process needs, where stages follow each other or nest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

import torch

from framesift.registry import require

EVERY_SECONDS: Final = 0.01


class StagePeaks:
    """The largest memory in use during each stage, in bytes.

    On a GPU it is what tensors hold there; on a CPU it is resident memory, weights included, which
    a thread looks at a hundred times a second within the `with` block. What a stage within another
    needs counts for the inner one alone.
    """

    def __init__(self, device: str) -> None:
        """Takes the device that the model runs on, `"cpu"` or `"cuda"`."""
        self.bytes: Final[dict[str, int]] = {}
        self._on_gpu: Final = device != "cpu"
        self._process: Final = None if self._on_gpu else require("psutil", extra="test").Process()
        self._within: Final[list[str]] = []
        self._lock: Final = threading.Lock()
        self._done: Final = threading.Event()
        self._watcher: Final = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._watcher.join()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the memory that is in use within the block for `name`."""
        with self._lock:
            self._note()
            self._within.append(name)
            self._note()
        try:
            yield
        finally:
            with self._lock:
                self._note()
                self._within.pop()

    def _watch(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            with self._lock:
                self._note()

    def _note(self) -> None:
        used = self._used()
        if self._within:
            stage = self._within[-1]
            self.bytes[stage] = max(self.bytes.get(stage, 0), used)

    def _used(self) -> int:
        """Returns the bytes in use: on a GPU the most since the last call, on a CPU now."""
        if self._process is not None:
            resident: int = self._process.memory_info().rss
            return resident
        most = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return most
