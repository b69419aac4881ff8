"""Video compression, keyframes and answers over HTTP.

`create_app` gives the ASGI app of one server, `Settings` says what it may do, and `main` runs it as
`framesift serve` and `framesift gateway` do.
"""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from framesift_server.common_settings import CommonSettings
from framesift_server.settings import Settings

if TYPE_CHECKING:  # it imports torch, which `--help` and wrong arguments need not wait for
    from framesift_server.app import create_app

__all__ = ["Settings", "create_app", "main"]
Kind = TypeVar("Kind", bound=CommonSettings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is interrupted; `usage` writes what clients have used instead.

    `gateway` serves an OpenAI-compatible endpoint in front of another one.

    Args:
        arguments: of the command line, the process's own by default; `--help` lists them.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["usage"]:
        import_module("framesift_server.commands").usage(arguments[1:])
    elif arguments[:1] == ["gateway"]:
        from framesift_server.gateway.settings import GatewaySettings

        _serve(_settings(GatewaySettings, arguments[1:]))
    else:
        settings = _settings(Settings, arguments)
        if line := settings.model_limit:
            logging.getLogger(__name__).warning("framesift serve: %s", line)
        _serve(settings)


def _settings(kind: type[Kind], arguments: Sequence[str]) -> Kind:
    """Returns what the arguments and the environment say; ends the process where they are wrong."""
    from pydantic import ValidationError
    from pydantic_settings import CliApp

    try:
        return CliApp.run(kind, list(arguments))
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # of several settings together
            line = first["msg"].removeprefix("Value error, ")
            raise SystemExit(f"{kind.program}: {line}") from None
        name = str(first["loc"][0]).replace("_", "-")
        raise SystemExit(f"{kind.program}: --{name}: {first['msg']}") from None


def _serve(settings: CommonSettings) -> None:
    from framesift.errors import FramesiftError
    from framesift_server.clients import allow_open_files

    if (fit := allow_open_files(settings.max_connections)) < settings.max_connections:
        raise SystemExit(
            f"{settings.program}: --max-connections: {settings.max_connections} need more open "
            f"files than this process may have; raise `ulimit -n`, or give at most {fit}"
        )
    try:
        settings.check()
        import_module("framesift_server.keys").Keys.of(settings)
        import_module("framesift_server.job_store")  # whose table is to be made
        import_module("framesift_server.database").connect(settings).dispose()
    except FramesiftError as error:
        raise SystemExit(f"{settings.program}: {error}") from None
    import_module("framesift_server.processes").serve(settings)


def __getattr__(name: str) -> Any:
    if name == "create_app":
        return import_module("framesift_server.app").create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
