"""What an actor of Ray does: one video at a time, in a worker process of its own.

So a video that ends its process or takes too long is a row with its error, as on one machine.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from framesift import __version__
from framesift.batching import Pool, finished, store_of
from framesift.errors import FramesiftError
from framesift_ray.driver import Job
from framesift_ray.rows import WorkerError, item_of, json_of


class Videos:
    """Takes a batch of items, and returns how each ended."""

    def __init__(self, job: Job) -> None:
        """Takes what to do; whatever is wrong is told of with the first video."""
        self._job = job
        self._pool: Pool | None = None

    def __call__(self, batch: Mapping[str, Sequence[str]]) -> Mapping[str, list[str]]:
        """Returns the column `done`, or `problem` where nothing can go on."""
        rows = [self._row(text) for text in batch["item"]]
        return {name: [row.get(name, "") for row in rows] for name in ("done", "problem")}

    def _row(self, text: str) -> dict[str, Any]:
        item = item_of(text)
        try:
            if self._pool is None:
                self._pool = self._begin()
            # Finished by an actor that was lost before it could say so.
            done = finished(store_of(self._job.place), item) or next(self._pool.run([item]))
        except Exception as error:  # else Ray would leave the video out
            kind = "" if isinstance(error, FramesiftError) else f"{type(error).__name__}: "
            return {"problem": f"{platform.node()}: {kind}{error}"}
        return {"done": json_of(done)}

    def _begin(self) -> Pool:
        job = self._job
        if job.version != __version__:
            raise WorkerError(
                f"framesift {__version__} is installed there, not {job.version}; results would "
                "differ, so install the same everywhere"
            )
        try:
            os.chdir(job.folder)
        except OSError as error:
            raise WorkerError(
                f"the folder {job.folder!r} is not there ({error.strerror}); begin in one that all "
                "machines share"
            ) from error
        return Pool(job.work, store_of(job.place), replace(job.workers, count=1))

    def __del__(self) -> None:
        """Ends the worker process; Ray drops this object when it ends the actor."""
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
