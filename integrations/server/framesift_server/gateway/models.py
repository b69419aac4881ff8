"""The list of models: those of the upstream, and the one on this machine."""

from __future__ import annotations

import json
import time
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

from framesift_server.gateway.openai_errors import GatewayError
from framesift_server.gateway.relay import Changes

MODELS: Final = "/v1/models"
BEGAN: Final = int(time.time())


def model_card(name: str) -> dict[str, Any]:
    """Returns how a list of models tells of the one on this machine."""
    return {"id": name, "object": "model", "created": BEGAN, "owned_by": "framesift"}


def model_list(name: str) -> JSONResponse:
    """Returns the list where there is no upstream."""
    return JSONResponse({"object": "list", "data": [model_card(name)]})


def with_model(name: str) -> Changes:
    """Returns what is different about the upstream's list of models."""
    return Changes(body=partial(_added, name))


def no_model(asked: object, name: str) -> GatewayError:
    """Returns the error of a request that names a model which nothing here has."""
    line = f"the model {str(asked)[:200]!r} does not exist; here is {name!r}"
    return GatewayError(404, line, param="model", code="model_not_found")


def _added(name: str, status: int, body: bytes) -> bytes:
    try:
        listed = json.loads(body)
    except ValueError:
        return body
    if status != HTTPStatus.OK or not isinstance(listed, dict):
        return body
    models = listed.get("data")
    if not isinstance(models, list):
        return body
    return json.dumps({**listed, "data": [*models, model_card(name)]}).encode()
