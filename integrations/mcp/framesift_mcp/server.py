"""The MCP server and how it is reached."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from pydantic import ValidationError

import framesift
from framesift.serving import option_error
from framesift_mcp.tools import Tools

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
INSTRUCTIONS: Final = (
    "Look at videos without reading all of them: find_in_video gives times and images for a query, "
    "ask_video answers a question by a local model, compress_video gives keyframes of the whole, "
    "read_video_text what is written on the screen and said. "
    "A video is an http(s) link; files only from folders that the server was started with."
)


class Server(MCPServer):
    """A server whose errors are one line, those about arguments too."""

    async def call_tool(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Returns the result of a tool.

        Raises:
            ToolError: it failed; says why.
        """
        try:
            return await super().call_tool(name, *arguments, **options)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                line = option_error(error.__cause__)
                raise ToolError(f"Error executing tool {name}: {line}") from error
            raise


def create_server(tools: Tools | None = None) -> MCPServer:
    """Returns a server with the four tools, to be run over any transport."""
    tools = tools or Tools()
    # Said before an agent tries, since each try costs it a turn.
    limit = "" if tools.limit is None else f" Limited now: {tools.limit}."
    server = Server(
        "framesift", version=framesift.__version__, instructions=f"{INSTRUCTIONS}{limit}"
    )
    server.add_tool(tools.compress_video, annotations=READS)
    server.add_tool(tools.read_video_text, annotations=READS)
    by_pictures = limit.replace("now", "now by pictures, not by text")
    for tool, own in ((tools.ask_video, limit), (tools.find_in_video, by_pictures)):
        described = f"{inspect.getdoc(tool)}{own}"
        server.add_tool(tool, description=described, annotations=READS)
    return server


def security(hosts: Sequence[str] = ()) -> TransportSecuritySettings:
    """Returns whose requests an HTTP server answers: those addressed to it by a known name.

    A page in a browser that had a foreign name resolve to this machine is refused by that name.

    Args:
        hosts: names under which the server is reached, besides those of this machine.
    """
    names = [*LOOPBACK, *hosts]
    return TransportSecuritySettings(
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            f"{scheme}://{form}"
            for name in names
            for scheme in ("http", "https")
            for form in (name, f"{name}:*")
        ],
    )
