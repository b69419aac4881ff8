"""What one server holds: models and their workers, uploads, jobs, and what it counts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from starlette.requests import Request

from framesift import Answer
from framesift.serving import Uploads
from framesift_server import work
from framesift_server.connection import while_connected
from framesift_server.jobs import Job, Jobs
from framesift_server.schemas import CompressResponse
from framesift_server.settings import Settings
from framesift_server.workers import Workers


class Service:
    """Answers requests at once, or as jobs; usable within `open`."""

    jobs: Jobs

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()
        """The metrics of this server alone."""
        self.workers = Workers(waiting=settings.queue)
        self.uploads = Uploads(keep=settings.max_uploads)
        self._work = work.Work(settings)
        self._inside = Gauge(
            "framesift_working",
            "Requests in work and waiting.",
            ["model"],
            registry=self.registry,
        )
        self._tokens = Counter(
            "framesift_visual_tokens",
            "Visual tokens before and after compression.",
            ["side"],
            registry=self.registry,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Gives uploads their folder and jobs their time; ends both."""
        with self.uploads:
            async with anyio.create_task_group() as group:
                self.jobs = Jobs(
                    group,
                    self.workers,
                    keep=self.settings.max_jobs,
                    seconds=self.settings.max_job_seconds,
                )
                if self.settings.compile and torch.cuda.is_available():
                    group.start_soon(self._warm_up)
                yield
                group.cancel_scope.cancel()

    async def _warm_up(self) -> None:
        """Has the default model compiled; its requests wait in line meanwhile."""
        model = self.settings.models[0]
        with self.workers.place(model):
            try:
                reason = await self.workers.run(model, self._work.warm_up)
            except Exception as error:  # the requests for the model will say the same
                reason = str(error) or type(error).__name__
        if reason:
            logging.getLogger(__name__).warning("%s is not compiled: %s", model, reason)

    async def answer(self, request: Request, body: work.Request) -> work.Response:
        """Returns the response to a request, unless its client leaves before."""
        worker = self._work.worker(body)
        do = partial(self._do, body)
        with self.workers.place(worker):
            run = partial(self.workers.run, worker, do)
            return await while_connected(request, self.settings.max_seconds, run)

    def start(self, body: work.Request, key: str | None) -> Job:
        """Returns a job that does what a request asks."""
        worker = self._work.worker(body)
        self.uploads.find(body.video)
        return self.jobs.start(worker, body, partial(self._do, body), key)

    def metrics(self) -> bytes:
        """Returns the metrics in the text format of Prometheus."""
        for model, count in self.workers.inside.items():
            self._inside.labels(model).set(count)
        return generate_latest(self.registry)

    def _do(self, body: work.Request) -> work.Response:
        response = self._work.do(body, self.uploads.find(body.video))
        match response:
            case CompressResponse(report=report):
                self._count(report.tokens_in, report.tokens_out)
            case Answer(usage=usage):
                self._count(usage.visual_tokens_before, usage.visual_tokens_after)
        return response

    def _count(self, before: int, after: int) -> None:
        self._tokens.labels("before").inc(before)
        self._tokens.labels("after").inc(after)
