"""The MCP server and how it is reached."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import (
    ResourceError,
    ResourceNotFoundError,
    ToolError,
    UnexpectedToolError,
)
from mcp.server.mcpserver.tools import Tool
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import InputRequiredResult, Resource, ResourceTemplate, ToolAnnotations
from pydantic import ValidationError

import framesift
from framesift.serving import (
    FOLDER_SCHEME,
    KnownHosts,
    error_line,
    option_error,
    unknown_option,
    unknown_part,
    with_names,
)
from framesift_mcp.resources import TEMPLATE, listed_resources
from framesift_mcp.roots import client_roots, within
from framesift_mcp.tools import Tools

READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
INSTRUCTIONS: Final = (
    "Look at videos without reading all of them: find_in_video gives times and images for a query, "
    "ask_video answers a question by a local model, compress_video gives keyframes of the whole, "
    "read_video_text what is written on the screen and said. "
    "A video is an http(s) link, or a file that list_videos names."
)
_page: ContextVar[list[Resource]] = ContextVar("framesift_mcp_page")


class Server(MCPServer):
    """A server whose errors are one line, and whose resources are the videos of its folders."""

    def __init__(self, tools: Tools, registered: Sequence[Tool], **options: Any) -> None:
        """Takes what the tools do, and how they are listed."""
        super().__init__(tools=list(registered), middleware=[self._paged], **options)
        self._videos = tools
        self._takes = {tool.name: list(tool.parameters["properties"]) for tool in registered}

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> Any:
        """Returns the result of a tool.

        Raises:
            ToolError: it failed; says why.
        """
        if name not in self._takes:
            raise ToolError(unknown_part("tool", name, list(self._takes)))
        for given in arguments.keys() - self._takes[name]:
            raise ToolError(unknown_option(name, given[:80], self._takes[name]))
        try:
            context = context or Context(mcp_server=self)
            call = partial(super().call_tool, name, arguments, context)
            return await self._within_roots(context, call)
        except UnexpectedToolError as error:
            raise UnexpectedToolError(
                f"{name} failed by a fault of this server, which its log describes; ask in another "
                "way, or tell the user"
            ) from error.__cause__
        except ToolError as error:
            cause = error.__cause__
            line = str(cause)
            if isinstance(cause, ValidationError):
                line = error_line(option_error(cause))
            raise ToolError(line) from cause

    async def list_resources(self) -> list[Resource]:
        """Returns the videos of the page that a request asks for."""
        return _page.get([])

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """Returns how a video of the folders is addressed."""
        return [TEMPLATE] if self._videos.folders else []

    async def read_resource(self, uri: Any, context: Context[Any, Any] | None = None) -> Any:
        """Returns length and subtitles of a video in the folders, as JSON.

        Raises:
            ResourceError: it cannot be read; says why.
        """
        if not self._videos.folders or not str(uri).startswith(FOLDER_SCHEME):
            raise ResourceNotFoundError(
                f"there is no resource {str(uri)[:200]!r}; list those of this server"
            )
        try:
            context = context or Context(mcp_server=self)
            read = partial(self._videos.read_resource, context, str(uri))
            return await self._within_roots(context, read)
        except ToolError as error:
            raise ResourceError(str(error)) from error

    async def _within_roots(self, context: Any, work: Callable[[], Awaitable[Any]]) -> Any:
        """Returns what `work` gives within the roots of the client, or the question for these."""
        roots: Any = None
        if self._videos.folders and context.protocol_version is not None:
            roots = await client_roots(context)
            if isinstance(roots, InputRequiredResult):
                return roots
        with within(roots):
            return await work()

    async def _paged(self, ctx: Any, call_next: Any) -> Any:
        """Answers a request for resources by one page of them, and says how the next is called."""
        if ctx.method != "resources/list":
            return await call_next(ctx)
        after = (ctx.params or {}).get("cursor") or ""
        resources, cursor = await listed_resources(self._videos.folders, ctx, after)
        token = _page.set(resources)
        try:
            answer = await call_next(ctx)
        finally:
            _page.reset(token)
        return answer if cursor is None else {**answer, "nextCursor": cursor}


def create_server(tools: Tools | None = None) -> MCPServer:
    """Returns a server with all tools and resources, to be run over any transport."""
    tools = tools or Tools()
    # Said before an agent tries, since each try costs it a turn.
    limit = "" if tools.limit is None else f" Limited now: {tools.limit}."
    by_pictures = limit.replace("now", "now by pictures, not by text")
    limits = {"ask_video": limit, "find_in_video": by_pictures}
    works = (
        tools.list_videos,
        tools.compress_video,
        tools.read_video_text,
        tools.ask_video,
        tools.find_in_video,
    )
    return Server(
        tools,
        [_registered(work, tools.names, limits.get(work.__name__, "")) for work in works],
        name="framesift",
        version=framesift.__version__,
        instructions=f"{INSTRUCTIONS}{limit}",
    )


def _registered(work: Any, names: dict[str, list[str]], limit: str) -> Tool:
    """Returns a tool with the names that its arguments may have, and no other arguments."""
    described = f"{inspect.getdoc(work)}{limit}"
    tool = Tool.from_function(work, description=described, annotations=READS)
    properties = tool.parameters["properties"]
    for argument in names.keys() & properties.keys():
        properties[argument] = with_names(properties[argument], names[argument])
    tool.parameters["additionalProperties"] = False
    return tool


def security(hosts: Sequence[str] = (), listens_at: str = "127.0.0.1") -> TransportSecuritySettings:
    """Returns whose requests an HTTP server answers: those addressed to it by a known name.

    A page in a browser that had a foreign name resolve to this machine is refused by that name.

    Args:
        hosts: names under which the server is reached, besides those of this machine.
        listens_at: the address that it listens at.
    """
    names = KnownHosts.of(listens_at, hosts).names
    return TransportSecuritySettings(
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            f"{scheme}://{form}"
            for name in names
            for scheme in ("http", "https")
            for form in (name, f"{name}:*")
        ],
    )
