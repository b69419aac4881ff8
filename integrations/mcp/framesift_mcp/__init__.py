"""Video for agents over MCP: compress it, ask about it, find moments in it.

`create_server` gives the server, `Tools` what it can do, and `main` is the command `framesift-mcp`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from framesift.errors import FramesiftError
from framesift.serving import SOON_SECONDS, ClientInput, end_within, ending_soon
from framesift_mcp.server import create_server, security
from framesift_mcp.tools import Tools

__all__ = ["Tools", "create_server", "main", "security"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves over stdio, or over HTTP with `--http`, until it is interrupted.

    Args:
        arguments: of the command line, the process's own by default.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        tools = Tools(
            given.vlm,
            keep=given.keep,
            folders=given.folder,
            strategy=given.strategy,
            resized_by=given.resized_by,
            selectors=given.selector,
            readers=given.reader,
            text_folder=given.text_folder,
            max_seconds=given.max_seconds,
        )
    except FramesiftError as error:
        parser.error(str(error))
    server = create_server(tools)
    for line in filter(None, (tools.limit, *tools.folders.missing)):
        logging.getLogger(__name__).warning("framesift-mcp: %s", line)
    with ending_soon():
        if given.http:
            app = server.streamable_http_app(
                host=given.host, transport_security=security(given.allow_host, given.host)
            )
            _serve(app, given.host, given.port)
        else:
            sys.stdin = ClientInput.taken()
            server.run("stdio")


def _serve(app: Any, host: str, port: int) -> None:
    """Serves over HTTP until a signal comes, and then ends soon, whatever its requests do."""
    import uvicorn

    class Ending(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            end_within(SOON_SECONDS, 128 + sig)
            super().handle_exit(sig, frame)

    Ending(uvicorn.Config(app, host=host, port=port, log_level="info")).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="framesift-mcp", description="Video for agents over MCP.")
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument(
        "--vlm",
        help="what answers: a name, a hub id or a folder (default: a toy for synthetic:// videos)",
    )
    parser.add_argument(
        "--keep", default=0.25, type=float, help="share of the visual tokens that answers rest on"
    )
    parser.add_argument("--strategy", default="temporal", help="what decides which tokens stay")
    scaled = "what scales large frames down: the model's own preparation, or the decoder, faster"
    parser.add_argument("--resized-by", choices=("model", "decoder"), default="model", help=scaled)
    parser.add_argument(
        "--max-seconds", default=3600.0, type=float, help="longest time of one call"
    )
    parser.add_argument(
        "--folder",
        **several,
        type=Path,
        help="folder whose videos may be opened; may be repeated (default: links only)",
    )
    parser.add_argument(
        "--selector",
        **several,
        help="selector that calls may name although it reads files or models; may be repeated",
    )
    parser.add_argument(
        "--reader",
        **several,
        help="reader of text that calls may name although it reads a model, such as speech",
    )
    kept = "folder where what was read of videos is kept from one run to the next"
    parser.add_argument("--text-folder", type=Path, help=kept)
    parser.add_argument("--http", action="store_true", help="streamable HTTP at /mcp, not stdio")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", default=8000, type=int, help="port to listen at")
    parser.add_argument(
        "--allow-host",
        **several,
        help="name under which clients reach this server, besides localhost; may be repeated",
    )
    return parser
