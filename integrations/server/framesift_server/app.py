"""The HTTP interface: one route for each thing that the core does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, cast

from anyio import to_thread
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, UploadFile
from fastapi.security import HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

import framesift
from framesift import Answer, Transcript
from framesift.export import transcript_text
from framesift_server import examples, problems
from framesift_server.connection import ClientLeftError
from framesift_server.gate import Gate
from framesift_server.jobs import Job
from framesift_server.schemas import (
    AnyRequest,
    AskRequest,
    CompressRequest,
    CompressResponse,
    Health,
    JobState,
    KeyframesRequest,
    KeyframesResponse,
    Problem,
    TranscriptQuery,
    TranscriptRequest,
    UploadResponse,
)
from framesift_server.service import Service
from framesift_server.settings import Settings

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        403: "The address is not public, a file, or synthetic where that is not allowed.",
        413: "The body, the upload or the video behind the link is too large.",
        415: "The file is not a video that can be decoded.",
        422: "A value is wrong; `detail` says which, and what is allowed.",
        424: "The video could not be fetched.",
        429: "The line is full; `Retry-After` says when to come again.",
        504: "The work took too long; post it as a job.",
        507: "The server's disk is full.",
    }.items()
}
WRITTEN_AS: Final = {"srt": "application/x-subrip", "vtt": "text/vtt", "markdown": "text/markdown"}
router = APIRouter(responses=PROBLEMS, dependencies=[Depends(HTTPBearer(auto_error=False))])


def create_app(settings: Settings | None = None) -> FastAPI:
    """Returns the app of one server, with models, uploads, jobs and metrics of its own."""
    settings = settings or Settings()
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.open():
            yield

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
    app.include_router(router, max_body_size=settings.max_body_bytes)
    app.add_api_route(
        "/v1/uploads",
        upload,
        methods=["POST"],
        status_code=201,
        response_model=UploadResponse,
        responses=PROBLEMS,
        max_body_size=settings.max_upload_bytes,
    )
    app.add_exception_handler(ClientLeftError, _nobody)
    app.add_middleware(Gate, key=settings.api_key, registry=service.registry)
    return app


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


def _job(job_id: str, service: Annotated[Service, Depends(_service)]) -> Job:
    job = service.jobs.get(job_id)
    if job is None:
        raise HTTPException(404, f"there is no job {job_id[:40]!r}, or it is no longer kept")
    return job


async def _nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


Serving = Annotated[Service, Depends(_service)]
KnownJob = Annotated[Job, Depends(_job)]


@router.post("/v1/compress", response_model=CompressResponse)
async def compress(
    request: Request, body: Annotated[CompressRequest, examples.COMPRESS], service: Serving
) -> Any:
    """Keeps exactly `compression_ratio` of a video's visual tokens and returns them."""
    return await service.answer(request, body)


@router.post("/v1/keyframes", response_model=KeyframesResponse)
async def keyframes(
    request: Request, body: Annotated[KeyframesRequest, examples.KEYFRAMES], service: Serving
) -> Any:
    """Picks frames that cover the distinct content of a video."""
    return await service.answer(request, body)


@router.post("/v1/ask", response_model=Answer)
async def ask(request: Request, body: Annotated[AskRequest, examples.ASK], service: Serving) -> Any:
    """Answers a question about a video, with the stretches that the answer rests on."""
    return await service.answer(request, body)


@router.get("/v1/transcript", response_model=Transcript)
async def transcript(
    request: Request, query: Annotated[TranscriptQuery, Query()], service: Serving
) -> Any:
    """Returns all that is said and written in a video, with its times.

    The text is that of strangers: a page that shows it must escape it.
    """
    body = TranscriptRequest(video=query.video, text=query.text)
    read = await service.answer(request, body)
    if query.format == "json":
        return read
    text = transcript_text(cast(Transcript, read), query.format)
    return Response(text, media_type=f"{WRITTEN_AS[query.format]}; charset=utf-8")


async def upload(file: UploadFile, service: Serving) -> UploadResponse:
    """Takes a video, to be named as `video` in requests; the oldest uploads go first."""
    uri = await to_thread.run_sync(service.uploads.save, file.file)
    return UploadResponse(video=uri, size_bytes=file.size or 0)


@router.delete("/v1/uploads/{name}", status_code=204)
async def forget(name: str, service: Serving) -> None:
    """Removes an upload."""
    service.uploads.remove(name)


@router.post("/v1/jobs", status_code=202)
async def post_job(
    body: Annotated[AnyRequest, examples.JOB],
    service: Serving,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> JobState:
    """Does a request in the background; the same `Idempotency-Key` gives the same job.

    A key that came with another request before is refused.
    """
    job = service.jobs.of_key(idempotency_key, body) or service.start(body, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job.state()


@router.get("/v1/jobs/{job_id}")
async def get_job(job: KnownJob) -> JobState:
    """Returns the state of a job, and its result at the end."""
    return job.state()


@router.get("/v1/jobs/{job_id}/events", response_class=EventSourceResponse)
async def get_events(
    job: KnownJob, last_event_id: Annotated[int, Header()] = 0
) -> AsyncIterator[ServerSentEvent]:
    """Sends `progress` events, then `done`, `failed` or `cancelled`."""
    async for event in job.events(last_event_id):
        yield ServerSentEvent(data=event.data, event=event.name, id=str(event.number))


@router.delete("/v1/jobs/{job_id}", status_code=204)
async def cancel_job(job: KnownJob) -> None:
    """Cancels a job; one that has ended stays as it is."""
    job.scope.cancel()


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


@router.get("/health")
async def health(service: Serving) -> Health:
    """Says that the server lives, and what it serves."""
    return Health(
        version=framesift.__version__,
        models=list(service.settings.models),
        encoders=list(service.settings.encoders),
        working=dict(service.workers.inside),
    )


@router.get("/metrics", response_class=Response)
async def metrics(service: Serving) -> Response:
    """Counts requests, seconds and tokens, for Prometheus."""
    return Response(service.metrics(), media_type=CONTENT_TYPE_LATEST)
