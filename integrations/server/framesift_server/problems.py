"""Errors as problem details: each of the core's gets its status and keeps its one line."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from framesift.errors import (
    DecodeError,
    ForbiddenAddressError,
    FramesiftError,
    MissingDependencyError,
    PlanTooLongError,
    SourceError,
    StorageError,
    UnsupportedSourceError,
    VideoTooLargeError,
)
from framesift.serving import error_line
from framesift_server.schemas import Problem

logger = logging.getLogger(__name__)

STATUS: Final[Mapping[type[FramesiftError], HTTPStatus]] = {
    ForbiddenAddressError: HTTPStatus.FORBIDDEN,
    VideoTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedSourceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    SourceError: HTTPStatus.FAILED_DEPENDENCY,
    DecodeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    MissingDependencyError: HTTPStatus.NOT_IMPLEMENTED,
    StorageError: HTTPStatus.INSUFFICIENT_STORAGE,
    FramesiftError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""The status of an error is that of the first class here that it belongs to."""


class ServerBusyError(Exception):
    """The line before a model is full."""

    def __init__(self, model: str, retry_seconds: int) -> None:
        super().__init__(
            f"too many requests wait for {model!r}; come again in about {retry_seconds} s"
        )
        self.retry_seconds = retry_seconds


class ModelUnavailableError(Exception):
    """A model that is served cannot be loaded."""


def problem_of(error: Exception) -> Problem:
    """Returns the response to an error; the details of an unexpected one go to the log only."""
    match error:
        case TimeoutError() if not isinstance(error, PlanTooLongError):
            line = "the work took longer than this server allows; post it to /v1/jobs"
            return _problem(HTTPStatus.GATEWAY_TIMEOUT, line)
        case FramesiftError():
            status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
            return _problem(status, error_line(error), type(error).__name__)
        case HTTPException():
            return _problem(HTTPStatus(error.status_code), str(error.detail))
        case RequestValidationError():
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, _where(error))
        case ServerBusyError():
            return _problem(HTTPStatus.TOO_MANY_REQUESTS, str(error))
        case ModelUnavailableError():
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            line = "the disk of this server is full; come again later"
            return _problem(HTTPStatus.INSUFFICIENT_STORAGE, line)
    logger.error("a request failed", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says why")


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Returns a problem as a response."""
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


def install(app: FastAPI) -> None:
    """Lets an app answer every error with a problem."""

    async def handle(_: Request, error: Exception) -> JSONResponse:
        headers = dict(getattr(error, "headers", None) or {})
        if isinstance(error, ServerBusyError):
            headers["Retry-After"] = str(error.retry_seconds)
        return answer(problem_of(error), headers)

    kinds = (FramesiftError, HTTPException, RequestValidationError, ServerBusyError)
    for kind in (*kinds, ModelUnavailableError, TimeoutError, Exception):
        app.add_exception_handler(kind, handle)


def _problem(status: HTTPStatus, detail: str, error: str | None = None) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail, error=error)


def _where(error: RequestValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is not JSON ({first['ctx']['error']}); send one JSON object"
    place = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    return f"{place}: {first['msg']}"
