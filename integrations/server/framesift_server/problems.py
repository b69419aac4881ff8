"""Errors as problem details: each of the core's gets its status and keeps its one line."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
from framesift_server.database import is_full, plain_failure
from framesift_server.schemas import Problem

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
Shape = Callable[[Problem, Mapping[str, str]], Response]
"""What an error looks like: a problem and its headers as a response."""
STATUS: Final[Mapping[type[FramesiftError], HTTPStatus]] = {
    ForbiddenAddressError: HTTPStatus.FORBIDDEN,
    VideoTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedSourceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    SourceError: HTTPStatus.FAILED_DEPENDENCY,
    DecodeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    MissingDependencyError: HTTPStatus.NOT_IMPLEMENTED,
    FramesiftError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""The status of an error is that of the first class here that it belongs to."""
FULL: Final = "this server has no room to store that; come again later"


class ServerBusyError(Exception):
    """The line before a model is full."""

    def __init__(self, model: str, retry_seconds: int) -> None:
        super().__init__(
            f"too many requests wait for {model!r}; come again in about {retry_seconds} s"
        )
        self.retry_seconds = retry_seconds


class ModelUnavailableError(Exception):
    """A model that is served cannot be loaded."""


class ServerStoppingError(Exception):
    """The server ends before the work did."""

    retry_seconds: Final = 5

    def __init__(self) -> None:
        super().__init__("this server is stopping; send the request again")


def problem_of(error: Exception) -> Problem:
    """Returns the response to an error; the details of an unexpected one go to the log only."""
    match error:
        case TimeoutError() if not isinstance(error, PlanTooLongError):
            line = "the work took longer than this server allows; post it to /v1/jobs"
            return _problem(HTTPStatus.GATEWAY_TIMEOUT, line)
        case StorageError():
            logger.error("%s", error)  # it names a place of this machine
            return _problem(HTTPStatus.INSUFFICIENT_STORAGE, FULL, type(error).__name__)
        case FramesiftError():
            status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
            return _problem(status, error_line(error), type(error).__name__)
        case HTTPException(__cause__=OSError() as cause):  # while the body was read
            return problem_of(cause)
        case HTTPException():
            return _problem(HTTPStatus(error.status_code), str(error.detail))
        case RequestValidationError():
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, _where(error))
        case ServerBusyError():
            return _problem(HTTPStatus.TOO_MANY_REQUESTS, str(error))
        case ModelUnavailableError() | ServerStoppingError():
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            return _problem(HTTPStatus.INSUFFICIENT_STORAGE, FULL)
        case SQLAlchemyError():
            logger.error("the database failed: %s", plain_failure(error))
            if is_full(error):
                return _problem(HTTPStatus.INSUFFICIENT_STORAGE, FULL)
            line = "the database of this server does not answer; come again in a moment"
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, line)
    logger.error("a request failed", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says why")


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Returns a problem as a response."""
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=problem.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Lets an app answer every error with a problem."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        headers = dict(getattr(error, "headers", None) or {})
        if isinstance(error, ServerBusyError | ServerStoppingError):
            headers["Retry-After"] = str(error.retry_seconds)
        elif isinstance(error, SQLAlchemyError):
            headers["Retry-After"] = str(ServerStoppingError.retry_seconds)
        if isinstance(error, HTTPException):
            return answer(_of_routing(request, error, headers), headers)
        return answer(problem_of(error), headers)

    kinds = (FramesiftError, HTTPException, RequestValidationError, ServerBusyError)
    others = (ModelUnavailableError, ServerStoppingError, SQLAlchemyError, OSError)
    for kind in (*kinds, *others, Exception):
        app.add_exception_handler(kind, handle)


def body_type(expected: str) -> Callable[[Request], None]:
    """Returns the dependency of a route whose body is of one type.

    Raises:
        HTTPException: it is said to be of another.
    """

    def check(request: Request) -> None:
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given != expected:
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"the body is of type {given[:80] or 'none'!r}; send it as {expected}",
            )

    return check


class Worded:
    """An ASGI middleware that puts a problem in the place of an error in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, and its response unless it is such an error."""
        replaced = False

        async def watch(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] >= 400:
                headers = Headers(raw=message["headers"])
                replaced = headers.get("content-type", "").startswith("text/plain")
                if replaced:
                    await _plain(message["status"], headers)(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, receive, watch)


def _plain(status: int, headers: Headers) -> JSONResponse:
    lines = {
        400: "the header Range is malformed; send it as bytes=FIRST-LAST",
        413: "the body is larger than this server allows; upload a video by POST /v1/uploads, or "
        "make it smaller",
        416: "the file ends before the Range begins; Content-Range says how long it is",
    }
    kept = {name: headers[name] for name in ("content-range", "retry-after") if name in headers}
    phrase = HTTPStatus(status)
    return answer(_problem(phrase, lines.get(status, phrase.description or phrase.phrase)), kept)


def _of_routing(request: Request, error: HTTPException, headers: dict[str, str]) -> Problem:
    """Returns a problem that says more than its title where no route has answered."""
    problem = problem_of(error)
    if problem.detail != problem.title:
        return problem
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        routes = (context.original_route for context in iter_route_contexts(request.app.routes))
        # Each method is a route of its own, of which the framework names the first alone.
        methods = {
            method
            for route in routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        headers["Allow"] = ", ".join(sorted(methods))
        detail = f"{request.method[:20]} is not allowed here; allowed are: {headers['Allow']}"
        return problem.model_copy(update={"detail": detail})
    if error.status_code == HTTPStatus.NOT_FOUND:
        line = "there is nothing at this path; /docs shows what there is"
        return problem.model_copy(update={"detail": line})
    return problem


def _problem(status: HTTPStatus, detail: str, error: str | None = None) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail, error=error)


def _where(error: RequestValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is not JSON ({first['ctx']['error']}); send one JSON object"
    place = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    return f"{place}: {first['msg']}"
