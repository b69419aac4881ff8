"""The videos of the folders as resources: a list in pages, and what is said in each."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from anyio import to_thread
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, InputRequiredResult, Resource, ResourceTemplate

from framesift.serving import FOLDER_SCHEME, AllowedFolders
from framesift_mcp.roots import asks_by_rounds, client_roots

JSON: Final = "application/json"
PAGE: Final = 100
"""Resources that are listed at once."""
TEMPLATE: Final = ResourceTemplate(
    uri_template=f"{FOLDER_SCHEME}{{+name}}",
    name="video",
    description="Length and subtitles of a video in the folders of this server; its tools take the "
    "same address as video. #t=START,END at its end means that part, in seconds.",
    mime_type=JSON,
)


async def listed_resources(
    folders: AllowedFolders, ctx: Any, after: str
) -> tuple[list[Resource], str | None]:
    """Returns a page of the videos, and what the next one begins after.

    In the newest versions of the protocol no server may ask for roots here: there they narrow what
    is read, not what is listed.

    Raises:
        MCPError: the client does not name its roots.
    """
    if not folders:
        return [], None
    try:
        roots = None if asks_by_rounds(ctx) else await client_roots(ctx)
    except ToolError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error
    assert not isinstance(roots, InputRequiredResult)
    page = await to_thread.run_sync(partial(folders.within(roots).listed, after=after, most=PAGE))
    resources = [
        Resource(
            uri=each.uri,
            name=each.name,
            description=f"A video of {each.size_bytes:,} bytes.",
            mime_type=JSON,
        )
        for each in page.videos
    ]
    return resources, page.next_after
