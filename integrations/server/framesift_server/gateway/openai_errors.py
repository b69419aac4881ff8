"""Errors as clients of OpenAI read them: a status, and a message in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from framesift.errors import ChatRequestError
from framesift.serving import error_line
from framesift_server.problems import ServerBusyError, ServerStoppingError, problem_of
from framesift_server.schemas import Problem

KINDS: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
"""What OpenAI calls the errors of a status; others are wrong requests or the server's own."""


class GatewayError(Exception):
    """A request that is answered with an error of this gateway's own."""

    def __init__(
        self,
        status: int,
        line: str,
        *,
        param: str | None = None,
        code: str | None = None,
        again: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Takes what its client is told.

        Args:
            status: of HTTP.
            line: what was wrong, and what to do.
            param: the field of the request that is wrong.
            code: a short name of the error, for programs.
            again: whether clients that send requests again by themselves may.
            headers: further ones of the response.
        """
        super().__init__(line)
        self.status, self.param, self.code = status, param, code
        # The last one is OpenAI's own, which its clients obey.
        self.headers = {**(headers or {}), **({} if again else {"x-should-retry": "false"})}


def error_body(
    status: int, line: str, *, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """Returns an error as the body of a response, or the data of an event."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": line, "type": kind, "param": param, "code": code}}


def shaped(problem: Problem, headers: Mapping[str, str]) -> Response:
    """Returns a problem of the server in OpenAI's form."""
    body = error_body(problem.status, problem.detail, code=problem.error)
    return JSONResponse(body, status_code=problem.status, headers=dict(headers))


def error_response(error: Exception) -> Response:
    """Returns the response to an error, whoever raised it."""
    if isinstance(error, GatewayError):
        body = error_body(error.status, str(error), param=error.param, code=error.code)
        return JSONResponse(body, status_code=error.status, headers=error.headers)
    if isinstance(error, ChatRequestError):
        body = error_body(400, error_line(error), param=error.param, code=error.code)
        return JSONResponse(body, status_code=400)
    problem, headers = problem_of(error), {}
    if isinstance(error, ServerBusyError | ServerStoppingError):
        headers["Retry-After"] = str(error.retry_seconds)
    if problem.status == HTTPStatus.GATEWAY_TIMEOUT:
        line = "the video took longer than this gateway allows; send a shorter one, or a part of it"
        problem = problem.model_copy(update={"detail": f"{line} by #t=START,END"})
        headers["x-should-retry"] = "false"
    if problem.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        problem = problem.model_copy(update={"status": HTTPStatus.BAD_REQUEST})
    return shaped(problem, headers)


def error_event(status: int, line: str) -> bytes:
    """Returns an error as an event of a stream, which clients of OpenAI raise."""
    return b"data: " + json.dumps(error_body(status, line)).encode() + b"\n\n"
