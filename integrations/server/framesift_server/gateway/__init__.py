"""An OpenAI-compatible endpoint in front of another, to which videos go shortened.

`create_gateway` gives the ASGI app, `GatewaySettings` says what it may do, and `framesift gateway`
runs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from framesift_server.gateway.settings import GatewaySettings

if TYPE_CHECKING:  # it imports torch, which `--help` and wrong arguments need not wait for
    from framesift_server.gateway.app import create_gateway

__all__ = ["GatewaySettings", "create_gateway"]


def __getattr__(name: str) -> Any:
    if name == "create_gateway":
        return import_module("framesift_server.gateway.app").create_gateway
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
