"""Video compression, keyframes and answers over HTTP.

`create_app` gives the ASGI app of one server, `Settings` says what it may do, and `main` runs it as
`framesift serve` does.
"""

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from framesift_server.settings import Settings

if TYPE_CHECKING:  # it imports torch, which `--help` and wrong arguments need not wait for
    from framesift_server.app import create_app

__all__ = ["Settings", "create_app", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is interrupted.

    Args:
        arguments: of the command line, the process's own by default; `--help` lists them.
    """
    import uvicorn
    from pydantic import ValidationError
    from pydantic_settings import CliApp

    from framesift_server.ending import GRACE_SECONDS, serve

    try:
        settings = CliApp.run(Settings, None if arguments is None else list(arguments))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-") if first["loc"] else "settings"
        raise SystemExit(f"framesift serve: --{name}: {first['msg']}") from None
    if line := settings.model_limit:
        logging.getLogger(__name__).warning("framesift serve: %s", line)
    config = uvicorn.Config(
        import_module("framesift_server.app").create_app(settings),
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    serve(config)


def __getattr__(name: str) -> Any:
    if name == "create_app":
        return import_module("framesift_server.app").create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
