"""Routes for whoever operates a server, or pays for it."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Query
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

import framesift
from framesift_server import openapi
from framesift_server.dependencies import Client, Counting, Serving
from framesift_server.schemas import Health, Ready, UsageHour
from framesift_server.usage import usage_csv, usage_rows

HOURS: Final = r"^([0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9]{2})?)?)?$"
router = APIRouter()
accounts = APIRouter()
"""What clients have used, which a server and a gateway tell alike."""


@router.get("/health")
async def health(service: Serving) -> Health:
    """Says that the server lives, and what it serves."""
    return Health(
        version=framesift.__version__,
        models=list(service.settings.models),
        encoders=list(service.settings.encoders),
        working=dict(service.workers.inside),
    )


@router.get("/ready", responses=openapi.problems(503))
async def ready(service: Serving) -> Ready:
    """Says whether requests should come: the model is loaded, and the database answers."""
    reason = await to_thread.run_sync(service.not_ready)
    if reason is not None:
        raise HTTPException(503, reason, {"Retry-After": "5"})
    return Ready()


@accounts.get(
    "/v1/usage",
    response_model=list[UsageHour],
    responses={200: {"content": {"text/csv": {}}}, **openapi.problems(422)},
)
async def usage(
    service: Counting,
    client: Client,
    since: Annotated[str, Query(pattern=HOURS)] = "",
    until: Annotated[str, Query(pattern=HOURS)] = "",
    format: Annotated[Literal["json", "csv"], Query()] = "json",
) -> Any:
    """Returns what the key of this request has used, hour by hour in UTC, from `since` to `until`.

    Both may be a month, a day or an hour, such as `2026-11` or `2026-11-27T08`.
    """
    find = partial(usage_rows, service.engine, client=client, since=since, until=until or "~")
    rows = await to_thread.run_sync(find)
    if format == "csv":
        return Response(usage_csv(rows), media_type="text/csv; charset=utf-8")
    return [UsageHour.of(hour, used) for _, hour, used in rows]


@accounts.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST.partition(";")[0]: {}}}},
)
async def metrics(service: Counting) -> Response:
    """Counts requests, seconds and tokens, for Prometheus."""
    told = await to_thread.run_sync(service.metrics)
    return Response(told, media_type=CONTENT_TYPE_LATEST)
