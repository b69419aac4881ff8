"""Video for agents over MCP: compress it, ask about it, find moments in it.

`create_server` gives the server, `Tools` what it can do, and `main` is the command `framesift-mcp`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from framesift.serving import unwound_by_sigterm
from framesift_mcp.server import create_server, security
from framesift_mcp.tools import Tools

__all__ = ["Tools", "create_server", "main", "security"]

GRACE_SECONDS: Final = 2.0
"""How long work may take to end; the thread that reads from the client never does by itself."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves over stdio, or over HTTP with `--http`, until it is interrupted.

    Args:
        arguments: of the command line, the process's own by default.
    """
    given = _parser().parse_args(arguments)
    tools = Tools(
        given.vlm,
        keep=given.keep,
        folders=given.folder,
        strategy=given.strategy,
        resized_by=given.resized_by,
        selectors=given.selector,
        readers=given.reader,
        max_seconds=given.max_seconds,
    )
    server = create_server(tools)
    if tools.limit:
        logging.getLogger(__name__).warning("framesift-mcp: %s", tools.limit)
    with unwound_by_sigterm(GRACE_SECONDS):
        if given.http:
            server.run(
                "streamable-http",
                host=given.host,
                port=given.port,
                transport_security=security(given.allow_host),
            )
        else:
            server.run("stdio")


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
    parser.add_argument("--http", action="store_true", help="streamable HTTP at /mcp, not stdio")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", default=8000, type=int, help="port to listen at")
    parser.add_argument(
        "--allow-host",
        **several,
        help="name under which clients reach this server, besides localhost; may be repeated",
    )
    return parser
