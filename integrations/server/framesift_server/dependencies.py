"""What routes ask for: the service, and whose request it is."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from framesift_server.host import Host
from framesift_server.keys import ANYBODY
from framesift_server.service import Service


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


def _client(request: Request) -> str:
    return str(request.scope.get("client_name", ANYBODY))


def _host(request: Request) -> Host:
    return cast(Host, request.app.state.service)


Counting = Annotated[Host, Depends(_host)]
Serving = Annotated[Service, Depends(_service)]
Client = Annotated[str, Depends(_client)]
"""The name of the key that a request came with."""
