"""The routes of compressed videos, and of the files that hold their tensors."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from framesift_server import examples, forms, openapi
from framesift_server.compressed import Compressed, CompressResponse
from framesift_server.dependencies import Serving
from framesift_server.schemas import CompressRequest

router = APIRouter()


@router.post(
    "/v1/compress",
    response_model=CompressResponse,
    responses=openapi.COMPRESSED,
    dependencies=forms.BODY,
)
async def compress(
    request: Request,
    body: Annotated[CompressRequest, examples.COMPRESS],
    service: Serving,
    form: Annotated[str, Depends(forms.form_of)],
) -> Response:
    """Keeps exactly `compression_ratio` of a video's visual tokens and returns them.

    `Accept` says in which form: one object of JSON, the tensors as a safetensors file, or lines of
    JSON, one a token, with a link to the tensors.
    """
    forms.check_form(form, body)
    made = cast(Compressed, await service.answer(request, body))
    return await forms.sent(made, form, service.results)


@router.get("/v1/results/{name}", response_class=FileResponse, responses=openapi.RESULT)
async def get_result(name: str, service: Serving) -> FileResponse:
    """Returns a file of tensors that an answer named, or a `Range` of it."""
    path = service.results.path(name)
    if path is None:
        raise HTTPException(404, f"there is no result {name[:60]!r}, or it had to make room")
    return FileResponse(path, media_type=forms.TENSORS)


@router.delete("/v1/results/{name}", status_code=204)
async def forget_result(name: str, service: Serving) -> None:
    """Removes a result."""
    service.results.remove(name)
