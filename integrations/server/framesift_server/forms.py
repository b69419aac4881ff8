"""Which of its forms a compressed video is sent in: content negotiation by RFC 9110."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from anyio import to_thread
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from framesift_server.compressed import Compressed
from framesift_server.problems import body_type
from framesift_server.results import Results
from framesift_server.schemas import CompressRequest

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
TENSORS: Final = "application/x-safetensors"
BODY: Final = [Depends(body_type(JSON))]
"""What a route with a body of JSON depends on."""


def form_of(request: Request) -> str:
    """Returns the form that a client wants a compressed video in, JSON where it does not say.

    Raises:
        HTTPException: it wants something else; the line names the forms.
    """
    wanted = ",".join(request.headers.getlist("accept")) or "*/*"
    offered = (JSON, TENSORS, LINES)
    form = preferred(wanted, offered)
    if form is None:
        raise HTTPException(
            HTTPStatus.NOT_ACCEPTABLE,
            f"'Accept: {wanted[:100]}' is not sent here; ask for one of: {', '.join(offered)}",
        )
    return form


def check_form(form: str, body: CompressRequest) -> None:
    """Refuses what a file of tensors cannot hold.

    Raises:
        HTTPException: keyframes are asked for in it.
    """
    if form == TENSORS and "keyframes" in body.outputs:
        raise HTTPException(
            HTTPStatus.NOT_ACCEPTABLE,
            f"outputs 'keyframes' are no tensors; ask for {LINES} or {JSON}, or get them from "
            "/v1/keyframes",
        )


async def sent(made: Compressed, form: str, results: Results) -> Response:
    """Returns the response that holds a compressed video in one of its forms.

    But for one object of JSON, it is sent from the memory that the tokens are in.
    """
    if form == JSON:
        return Response(await to_thread.run_sync(_as_json, made), media_type=JSON)
    if form == TENSORS:
        file = made.file()
        length = {"Content-Length": str(file.size_bytes)}
        return StreamingResponse(file.pieces(), media_type=TENSORS, headers=length)
    url = await to_thread.run_sync(link, made, results)
    return StreamingResponse(made.lines(url), media_type=LINES)


def link(made: Compressed, results: Results, *, embeds: bool = True) -> str | None:
    """Returns where the tensors can be fetched from now on, None where none were asked for."""
    if "features" not in made.request.outputs and not (embeds and made.embeds is not None):
        return None
    return f"/v1/results/{results.save(made.file(embeds=embeds).pieces())}"


def _as_json(made: Compressed) -> bytes:
    return made.json().model_dump_json().encode()


def preferred(wanted: str, offered: Sequence[str]) -> str | None:
    """Returns which of `offered` a header such as `Accept` prefers, None where it takes none.

    Each is rated by the most specific range that it is in; of equals the one whose range was named
    first is taken, then the first that is offered. What cannot be read is passed over.
    """
    best, found = (0.0, 0, 0), None
    ranges = [_range(part) for part in wanted.lower().split(",")]
    for name in offered:
        kind = name.partition("/")[0]
        matching = [
            (("*", "*/*", f"{kind}/*", name).index(text), weight, -place)
            for place, (text, weight) in enumerate(ranges)
            if text in ("*", "*/*", f"{kind}/*", name)
        ]
        if matching:
            specific, weight, place = max(matching)
            if weight > 0 and (found is None or (weight, specific, place) > best):
                best, found = (weight, specific, place), name
    return found


def _range(part: str) -> tuple[str, float]:
    """Returns one range and its weight from 0 to 1."""
    text, *parameters = (item.strip() for item in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return "", 0.0
            return text, weight if 0 <= weight <= 1 else 0.0
    return text, 1.0
