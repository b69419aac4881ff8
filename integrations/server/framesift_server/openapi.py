"""The description of one server: what it takes, what it sends, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from framesift_server.compressed import CompressHead, TokenLine
from framesift_server.forms import LINES, TENSORS
from framesift_server.gate import OPEN
from framesift_server.problems import MEDIA_TYPE
from framesift_server.schemas import Problem
from framesift_server.settings import Settings

Responses = dict[int | str, dict[str, Any]]
_REF: Final = "#/components/schemas/"
_MEANINGS: Final = {
    400: "The request is malformed.",
    401: "The key is missing or wrong.",
    403: "An address that is not opened here, or a page or key that may not use this.",
    404: "There is none of this name, or it is no longer kept.",
    406: "None of the forms that `Accept` names is sent here.",
    411: "An upload that a quota counts does not say how long it is.",
    413: "The body, the upload or the video behind the link is too large.",
    415: "The body is of another type than this takes, or the file is no video.",
    416: "The file ends before the `Range`.",
    421: "The server is not known by the name in `Host`.",
    422: "A value is wrong; `detail` says which, and what is allowed.",
    424: "The video could not be fetched.",
    429: "The line is full, or a quota is used up; `Retry-After` says when to come again.",
    500: "The server failed; its log says why.",
    501: "The server lacks a package that this needs.",
    503: "The model cannot be loaded, the server is stopping, or its database does not answer.",
    504: "The work took too long; post it as a job.",
    507: "The server's disk is full.",
}
_TEXT: Final = {"type": "string"}
_RETRY: Final = {"Retry-After": {"schema": {"type": "integer"}, "description": "In seconds."}}
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"schema": _TEXT, "description": "`Bearer`."}},
    416: {"Content-Range": {"schema": _TEXT, "description": "How long the file is."}},
    429: _RETRY,
    503: _RETRY,
}


def problems(*statuses: int) -> Responses:
    """Returns how a route says that it refuses with these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{_REF}Problem"}}}
    return {
        status: {
            "description": _MEANINGS[status],
            "content": content,
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in statuses
    }


OF_WORK: Final = problems(403, 413, 415, 422, 424, 429, 501, 503, 504, 507)
"""What can stand in the way of work on a video."""
WRITTEN_AS: Final = {"srt": "application/x-subrip", "vtt": "text/vtt", "markdown": "text/markdown"}
TRANSCRIPT: Final[Responses] = {
    200: {
        "description": "The text, in the form that `format` names.",
        "content": {kind: {"schema": _TEXT} for kind in WRITTEN_AS.values()},
    },
    **OF_WORK,
}
COMPRESSED: Final[Responses] = {
    200: {
        "description": "The tokens, in the form that `Accept` names.",
        "content": {
            TENSORS: {"schema": {"type": "string", "format": "binary"}},
            LINES: {
                "schema": _TEXT,
                "itemSchema": {
                    "anyOf": [{"$ref": f"{_REF}CompressHead"}, {"$ref": f"{_REF}TokenLine"}]
                },
            },
        },
    },
    **OF_WORK,
    **problems(406),
}
_FILE: Final = {"content": {TENSORS: {"schema": {"type": "string", "format": "binary"}}}}
RESULT: Final[Responses] = {
    200: {"description": "The whole file.", **_FILE},
    206: {
        "description": "A part of it.",
        "headers": {"Content-Range": {"schema": _TEXT}},
        "content": {**_FILE["content"], "multipart/byteranges": {"schema": _TEXT}},
    },
    **problems(400, 404, 416),
}
JOB: Final[Responses] = {
    202: {
        "description": "The job; ask for it at `Location`.",
        "headers": {"Location": {"schema": _TEXT, "required": True}},
    },
    **problems(403, 413, 415, 422, 429, 507),
}


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """Returns the description of a server with these settings."""
    if app.openapi_schema is None:
        page = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = page["components"]["schemas"]
        for kind in (Problem, CompressHead, TokenLine):
            found = kind.model_json_schema(ref_template=f"{_REF}{{model}}")
            schemas.update(found.pop("$defs", {}))
            schemas[kind.__name__] = found
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path, operation in _operations(page):
            _refusals(operation, locked=settings.locked and path not in OPEN)
        if settings.locked:
            scheme = {"type": "http", "scheme": "bearer"}
            page["components"]["securitySchemes"] = {"key": scheme}
        for name in ("CompressRequest", "AskRequest"):
            _allowed(schemas[name]["properties"], settings)
        app.openapi_schema = page
    return app.openapi_schema


def _operations(page: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in page["paths"].items():
        for operation in methods.values():
            yield path, operation


def _refusals(operation: dict[str, Any], *, locked: bool) -> None:
    """Writes down what every route may refuse, in the place of what FastAPI thinks that it does."""
    responses = operation["responses"]
    if MEDIA_TYPE not in responses.get("422", {}).get("content", {MEDIA_TYPE: None}):
        del responses["422"]
    every = problems(403, 421, 500, 503, *((401, 429) if locked else ()))
    if locked:
        operation["security"] = [{"key": []}]
    if "requestBody" in operation:
        every |= problems(400, 413, 415, 422)
    for status, response in every.items():
        responses.setdefault(str(status), response)


def _allowed(options: dict[str, Any], settings: Settings) -> None:
    """Narrows the options of a request to what the operator allows."""
    least = settings.min_compression_ratio
    ratio = options["compression_ratio"]
    ratio.pop("exclusiveMinimum", None)
    ratio |= {"minimum": least, "default": max(least, ratio["default"])}
    for name, allowed in (("model", settings.models), ("encoder", settings.encoders)):
        if name in options:
            options[name]["anyOf"][0]["enum"] = list(allowed)
