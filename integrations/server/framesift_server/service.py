"""What one server holds: models and their workers, uploads, jobs, and what it counts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import BinaryIO

import anyio
import torch
from anyio import to_thread
from pydantic import BaseModel
from starlette.requests import Request

from framesift import Answer, LocalVideo
from framesift.serving import VLM, Uploads
from framesift_server import work
from framesift_server.compressed import Compressed
from framesift_server.database import connect
from framesift_server.forms import link
from framesift_server.host import Host
from framesift_server.job_rows import Job
from framesift_server.job_store import JobStore
from framesift_server.jobs import Jobs
from framesift_server.keys import ANYBODY
from framesift_server.metering import Meter
from framesift_server.quotas import Quotas
from framesift_server.results import Results
from framesift_server.settings import Settings
from framesift_server.usage import Used


class Service(Host):
    """Answers requests at once, or as jobs; usable within `open`."""

    jobs: Jobs
    store: JobStore
    uploads: Uploads

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.results = Results(
            settings.state_folder / "results",
            most=settings.max_results,
            most_bytes=settings.max_results_bytes,
        )
        self._work = work.Work(settings)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Opens what all processes of the server share, and takes up jobs until the block ends."""
        settings = self.settings
        self.engine = engine = connect(settings)
        self.quotas = Quotas(engine)
        self.uploads = Uploads(settings.state_folder / "uploads", keep=settings.max_uploads)
        self.store = JobStore(
            engine,
            settings.state_folder / "jobs",
            keep=settings.max_jobs,
            waiting=settings.queue,
            lease_seconds=settings.lease_seconds,
        )
        self.jobs = Jobs(
            self.store,
            self.workers,
            self._do_job,
            lines=self._work.workers(),
            seconds=settings.max_job_seconds,
            lease_seconds=settings.lease_seconds,
        )
        try:
            async with self.jobs.open(), anyio.create_task_group() as group:
                group.start_soon(self._prepare)
                yield
                self.stop()
                self.end()
                group.cancel_scope.cancel()
        finally:
            engine.dispose()

    @property
    def idle(self) -> bool:
        """Whether nothing is in work."""
        return self.jobs.idle and super().idle

    def stop(self) -> None:
        """Takes no more work, and tells those who watch a job; what is in work goes on."""
        super().stop()
        self.jobs.stop()

    async def release(self) -> None:
        """Gives back jobs that have not ended."""
        await self.jobs.release()

    async def _prepare(self) -> None:
        """Has models loaded and the default one compiled; their requests wait in line meanwhile."""
        if self.settings.preload:
            for model in self.settings.models:
                if reason := await self._made(model, partial(self._work.load, model)):
                    logging.getLogger(__name__).error("%s is not loaded: %s", model, reason)
        if self.settings.compile and torch.cuda.is_available():
            model = self.settings.models[0]
            if reason := await self._made(model, self._work.warm_up):
                logging.getLogger(__name__).warning("%s is not compiled: %s", model, reason)

    async def _made(self, model: str, make: Callable[[], str | None]) -> str | None:
        """Returns why something of a model could not be made, None where it was."""
        with self.workers.joined(model, "loading", float("inf")) as place:
            try:
                return await self.workers.run(place, make)
            except Exception as error:  # the requests for the model will say the same
                return str(error) or type(error).__name__

    async def answer(self, request: Request, body: work.Request) -> work.Response:
        """Returns the response to a request, unless its client leaves before.

        Raises:
            ServerStoppingError: the process ends before the work does.
        """
        worker, do = self._work.worker(body), partial(self._do, body)
        client = request.scope.get("client_name", ANYBODY)
        return await self.worked(request, worker, body.kind, do, client=client)

    async def post(self, body: work.Request, *, client: str, key: str | None) -> Job:
        """Returns a job that does what a request asks; one key of a client is one job."""
        if key is not None:
            find = partial(self.store.of_key, key, body, client=client)
            if (before := await to_thread.run_sync(find)) is not None:
                return before
        worker = self._work.worker(body)
        self.uploads.find(body.video)
        return await self.jobs.post(worker, body, client=client, key=key)

    def save_upload(self, content: BinaryIO, client: str) -> str:
        """Returns the name of a new upload; those that jobs wait for are not removed for it."""
        uri = self.uploads.save(content, spare=self.store.uploads())
        self.bill(client, Used(uploads=1, upload_bytes=content.tell()))
        return uri

    def model(self, name: str) -> VLM:
        """Returns a model, which is loaded once for all that use it.

        Raises:
            ModelUnavailableError: it cannot be loaded; says why.
        """
        return self._work.vlm(name)

    def open_video(self, address: str) -> LocalVideo:
        """Returns the video that a link or the name of an upload means, as requests open it.

        Raises:
            FramesiftError: it is not for strangers, or cannot be brought.
        """
        return self._work.open(address, self.uploads.find(address))

    def welcome(self, address: str) -> str | None:
        """Returns where the playground is, if there is one."""
        return f"the playground is at {address}/play/" if self.settings.play else None

    def not_ready(self) -> str | None:
        """Returns why requests should go elsewhere for now, None where they should not."""
        if reason := super().not_ready():
            return reason
        wanted = self.settings.models[: None if self.settings.preload else 1]
        for model in wanted:
            if model not in self._work.loaded:
                later = (
                    "it is being loaded"
                    if self.settings.preload
                    else ("it is with the first request for it, or at the start with --preload")
                )
                return self._work.failures.get(model, f"{model!r} is not loaded yet; {later}")
        return None

    def _do_job(self, body: work.Request, meter: Meter) -> BaseModel:
        response = self._do(body, meter)
        if isinstance(response, Compressed):
            # A job is asked for again and again, and may be done long before its tensors are taken.
            return response.json(link(response, self.results, embeds=False))
        return response

    def _do(self, body: work.Request, meter: Meter) -> work.Response:
        with meter.running():
            response = self._work.do(body, meter, self.uploads.find(body.video))
        match response:
            case Compressed(video=video):
                before, after = video.report.tokens_in, video.report.tokens_out
                meter.note(tokens_in=before, tokens_out=after)
                self.count(before, after)
            case Answer(usage=usage):
                before, after = usage.visual_tokens_before, usage.visual_tokens_after
                meter.note(tokens_in=before, tokens_out=after, answer_tokens=usage.answer_tokens)
                self.count(before, after)
        return response
