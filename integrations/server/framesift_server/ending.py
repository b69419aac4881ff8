"""A server that shuts down in bounded time and leaves nothing behind."""

from __future__ import annotations

from types import FrameType
from typing import Final

import uvicorn

from framesift.serving import end_within, unwound_by_sigterm

GRACE_SECONDS: Final = 5
"""How long requests that are under way may take to end; then they are cancelled."""


class Server(uvicorn.Server):
    """One that SIGTERM and SIGINT end, also where a thread is deep in its work."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stops serving; what has not ended by then is left behind."""
        end_within(2.0 * GRACE_SECONDS, code=128 + sig)
        super().handle_exit(sig, frame)


def serve(config: uvicorn.Config) -> None:
    """Serves until a signal ends it, which then ends the process with 128 and its number."""
    with unwound_by_sigterm():
        Server(config).run()
