"""The playground at /play, whose work waits in the line of the default model like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio import fail_after
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framesift import LocalVideo, Progress
from framesift.errors import FramesiftError
from framesift.playground import EXAMPLE, Terms, application
from framesift.serving import KnownHosts
from framesift_server.problems import ServerStoppingError, problem_of
from framesift_server.service import Service


class Playground:
    """An ASGI app that serves the page; usable within `open`."""

    def __init__(self, service: Service) -> None:
        self._service, self._settings = service, service.settings
        self._page: ASGIApp

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Makes the page, and takes all it held away at the end.

        Raises:
            MissingDependencyError: gradio is not installed.
        """
        with application(self._terms()) as page:
            async with page.router.lifespan_context(page):
                self._page = page
                yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; what a page waits for ends as soon as the server takes no more work.

        Raises:
            ServerStoppingError: it has ended before anything was answered.
        """
        begun: Message | None = None

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = begun or message
            await send(message)

        try:
            with self._service.until_stopping():
                await self._page(scope, receive, watch)
        except ServerStoppingError:
            if begun is None:
                raise
            if "content-length" not in Headers(raw=begun["headers"]):
                await send({"type": "http.response.body", "body": b""})

    def _terms(self) -> Terms:
        settings = self._settings
        return Terms(
            vlm=settings.models[0],
            load=lambda: self._service.model(settings.models[0]),
            open=self._open,
            run=self._run,
            hosts=KnownHosts.of(settings.host, settings.allow_host),
            takes_files=False,
            start=EXAMPLE if settings.allow_synthetic else "",
            strangers=True,
            strategies=settings.strategies,
            max_frames=settings.max_frames,
            least_keep=settings.min_compression_ratio,
            queue=settings.queue,
            most_visits=settings.max_uploads,
            max_body_bytes=settings.max_body_bytes,
        )

    def _open(self, source: str | Path) -> LocalVideo:
        return self._service.open_video(str(source))

    async def _run(self, do: Callable[[], Any], report: Callable[[Progress], object]) -> Any:
        """Returns what `do` gives, once the model is free.

        Raises:
            FramesiftError: says in one line what a request would be told.
        """
        workers, model = self._service.workers, self._settings.models[0]
        try:
            with (
                self._service.until_stopping(),
                workers.place(model, "play") as place,
                fail_after(self._settings.max_seconds),
            ):
                return await workers.run(place, do, report)
        except Exception as error:
            raise FramesiftError(problem_of(error).detail) from error
