"""How the work of calls runs: in threads, with progress, ended where a call is given up."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter, from_thread, to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from framesift import Progress, on_progress, time_limit
from framesift.errors import FramesiftError
from framesift.serving import error_line, throttled

Result = TypeVar("Result")


class Work:
    """Runs the work of calls in threads, at most some at once."""

    def __init__(self, at_once: int, max_seconds: float) -> None:
        """Takes the bounds.

        Args:
            at_once: pieces of work that run at the same time; others wait.
            max_seconds: longest time of each, without the wait.

        Raises:
            InvalidOptionError: the time is not a number above 0.
        """
        with time_limit(max_seconds):
            pass  # checks it
        self._at_once, self._max_seconds = at_once, max_seconds
        self._limiter: CapacityLimiter | None = None

    async def run(self, ctx: Context[Any, Any], work: Callable[[], Result]) -> Result:
        """Returns what `work` gives in a thread; it ends at its next step where it is cancelled.

        Raises:
            ToolError: it failed; says why in one line.
        """
        steps = itertools.count(1)

        def report(progress: Progress) -> None:
            total = "" if progress.total is None else f" of {progress.total:g}"
            line = f"{progress.stage}: {progress.done:g}{total} {progress.unit}"
            # Stages begin at zero again, but the progress of a client must grow.
            from_thread.run(ctx.report_progress, next(steps), None, line)

        report_some = throttled(report)

        def step(progress: Progress) -> None:
            from_thread.check_cancelled()
            report_some(progress)

        def watched() -> Result:
            with on_progress(step), time_limit(self._max_seconds):
                return work()

        self._limiter = self._limiter or CapacityLimiter(self._at_once)
        try:
            return await to_thread.run_sync(watched, limiter=self._limiter)
        except FramesiftError as error:
            raise ToolError(error_line(error)) from error
