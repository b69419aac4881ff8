"""The HTTP interface: one route for each thing that the core does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Annotated, Any, cast

from anyio import to_thread
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, UploadFile
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES as NOT_GZIPPED
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

import framesift
from framesift import Answer, Transcript
from framesift.export import transcript_text
from framesift.serving import KnownHosts
from framesift_server import compress_routes, examples, forms, openapi, operating, problems
from framesift_server.connection import ClientLeftError
from framesift_server.dependencies import Client, Serving
from framesift_server.ending import Closing
from framesift_server.gate import Gate
from framesift_server.job_rows import Job
from framesift_server.keys import Keys
from framesift_server.schemas import (
    AnyRequest,
    AskRequest,
    JobPage,
    JobState,
    JobStatus,
    KeyframesRequest,
    KeyframesResponse,
    TranscriptQuery,
    TranscriptRequest,
    UploadResponse,
)
from framesift_server.service import Service
from framesift_server.settings import Settings

router = APIRouter()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Returns the app of one server, with models, uploads, jobs and metrics of its own."""
    settings = settings or Settings()
    service = Service(settings)
    playground: Any = None
    if settings.play:
        playground = import_module("framesift_server.play").Playground(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with service.open(), playground.open() if playground else nullcontext():
            yield {"clients": service.clients}

    app = FastAPI(
        title="framesift",
        version=framesift.__version__,
        description="Keeps the visual tokens and frames of a video that carry information.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = service
    problems.install(app)
    # Not of the app as a whole: its refusal would come before the gate and not be a problem.
    for routes in (compress_routes.router, router):
        app.include_router(routes, max_body_size=settings.max_body_bytes)
    app.include_router(operating.router)
    app.include_router(operating.accounts)
    app.add_api_route(
        "/v1/uploads",
        upload,
        methods=["POST"],
        status_code=201,
        response_model=UploadResponse,
        responses=openapi.problems(411, 429, 507),
        dependencies=[Depends(problems.body_type("multipart/form-data"))],
        max_body_size=settings.max_upload_bytes,
    )
    if playground:
        app.mount("/play", playground)
    app.openapi = partial(openapi.document, app, settings)  # type: ignore[method-assign]
    app.add_exception_handler(ClientLeftError, _nobody)
    # Numbers of tensors hold next to nothing to leave out: 8 % of float32, at 30 MB a second.
    app.add_middleware(
        GZipMiddleware,
        minimum_size=1024,
        compresslevel=1,
        exclude_content_types=(*NOT_GZIPPED, forms.TENSORS, "multipart/byteranges"),
    )
    app.add_middleware(Closing, service=service)
    app.add_middleware(problems.Worded)
    app.add_middleware(
        Gate,
        hosts=KnownHosts.of(settings.host, settings.allow_host),
        keys=Keys.of(settings),
        quotas=lambda: service.quotas,
        registry=service.registry,
    )
    return app


async def _job(
    job_id: str,
    service: Serving,
    client: Client,
) -> Job:
    job = await to_thread.run_sync(service.store.get, job_id)
    if job is None or job.client != client:
        raise HTTPException(404, f"there is no job {job_id[:40]!r}, or it is no longer kept")
    return job


async def _nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


KnownJob = Annotated[Job, Depends(_job)]


@router.post(
    "/v1/keyframes",
    response_model=KeyframesResponse,
    responses=openapi.OF_WORK,
    dependencies=forms.BODY,
)
async def keyframes(
    request: Request, body: Annotated[KeyframesRequest, examples.KEYFRAMES], service: Serving
) -> Any:
    """Picks frames that cover the distinct content of a video."""
    return await service.answer(request, body)


@router.post("/v1/ask", response_model=Answer, responses=openapi.OF_WORK, dependencies=forms.BODY)
async def ask(request: Request, body: Annotated[AskRequest, examples.ASK], service: Serving) -> Any:
    """Answers a question about a video, with the stretches that the answer rests on."""
    return await service.answer(request, body)


@router.get("/v1/transcript", response_model=Transcript, responses=openapi.TRANSCRIPT)
async def transcript(
    request: Request, query: Annotated[TranscriptQuery, Query()], service: Serving
) -> Any:
    """Returns all that is said and written in a video, with its times.

    The text is that of strangers: a page that shows it must escape it.
    """
    body = TranscriptRequest.model_validate(query.model_dump(exclude={"format"}))
    read = await service.answer(request, body)
    if query.format == "json":
        return read
    text = transcript_text(cast(Transcript, read), query.format)
    return Response(text, media_type=f"{openapi.WRITTEN_AS[query.format]}; charset=utf-8")


async def upload(file: UploadFile, service: Serving, client: Client) -> UploadResponse:
    """Takes a video, to be named as `video` in requests; the oldest uploads go first."""
    uri = await to_thread.run_sync(service.save_upload, file.file, client)
    return UploadResponse(video=uri, size_bytes=file.size or 0)


@router.delete("/v1/uploads/{name}", status_code=204)
async def forget(name: str, service: Serving) -> None:
    """Removes an upload."""
    await to_thread.run_sync(service.uploads.remove, name)


@router.post("/v1/jobs", status_code=202, responses=openapi.JOB, dependencies=forms.BODY)
async def post_job(
    body: Annotated[AnyRequest, examples.JOB],
    service: Serving,
    client: Client,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> JobState:
    """Does a request in the background; the same `Idempotency-Key` gives the same job.

    A key that came with another request before is refused.
    """
    job = await service.post(body, client=client, key=idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job.state()


@router.get("/v1/jobs", responses=openapi.problems(422))
async def list_jobs(
    service: Serving,
    client: Client,
    status: JobStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before.")
    ] = None,
) -> JobPage:
    """Lists jobs, the newest first, without their results."""
    page = partial(service.store.page, client=client, status=status, before=before, most=limit + 1)
    jobs = await to_thread.run_sync(page)
    more = jobs[limit - 1].number if len(jobs) > limit else None
    return JobPage(jobs=[job.state() for job in jobs[:limit]], next=more)


@router.get("/v1/jobs/{job_id}", response_model=JobState, responses=openapi.problems(404))
async def get_job(job: KnownJob, service: Serving) -> Response:
    """Returns the state of a job, and its result at the end."""
    # The result is handed on as it was stored: it may be large.
    result = await to_thread.run_sync(service.store.result, job)
    state = job.state().model_dump_json(exclude={"result"}).encode()
    content = b'%s,"result":%s}' % (state[:-1], result or b"null")
    return Response(content, media_type="application/json")


@router.get(
    "/v1/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=openapi.problems(404, 422),
)
async def get_events(
    job: KnownJob, service: Serving, last_event_id: Annotated[int, Header()] = 0
) -> AsyncIterator[ServerSentEvent]:
    """Sends `progress` events, then `done`, `failed`, `cancelled` or `lost`.

    `stopping` means that this server ends and the job goes on: ask again with the last id.
    """
    async for event in service.jobs.events(job, last_event_id):
        yield ServerSentEvent(data=event.data, event=event.name, id=str(event.number))


@router.delete("/v1/jobs/{job_id}", status_code=204, responses=openapi.problems(404))
async def cancel_job(job: KnownJob, service: Serving) -> None:
    """Cancels a job; one that has ended stays as it is."""
    await service.jobs.cancel(job)


@router.get("/v1/readers")
async def readers() -> list[dict[str, Any]]:
    """Lists what reads the text of videos, and the options of each."""
    return framesift.readers.registry.facts()


@router.get("/v1/strategies")
async def strategies() -> list[dict[str, Any]]:
    """Lists the strategies, what they need and their options."""
    return framesift.strategies.registry.facts()


@router.get("/v1/selectors")
async def selectors() -> list[dict[str, Any]]:
    """Lists what picks frames, and the options of each."""
    return framesift.selectors.registry.facts()


@router.get("/v1/scorers")
async def scorers() -> list[dict[str, Any]]:
    """Lists what tells a selector how much each frame is worth, and the options of each."""
    return framesift.scorers.registry.facts()
