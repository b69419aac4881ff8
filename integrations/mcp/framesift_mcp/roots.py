"""The folders that a client says it works in: where it names some, they narrow what is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import anyio
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import InputRequiredResult, ListRootsRequest, ListRootsResult
from mcp_types.version import is_version_at_least

SECONDS: Final = 10.0
"""How long a client may take to name its roots."""
BY_ROUNDS: Final = "2026-07-28"
"""From this version of the protocol on a server asks by its result, and is called again."""
KEY: Final = "roots"

Roots = list[str] | None
"""The addresses of a client's roots; None where it names none."""
_roots: ContextVar[Roots] = ContextVar("framesift_mcp_roots", default=None)


def asks_by_rounds(ctx: Any) -> bool:
    """Returns whether the client of a request answers questions of a server by another call."""
    return is_version_at_least(ctx.protocol_version, BY_ROUNDS)


async def client_roots(ctx: Any) -> Roots | InputRequiredResult:
    """Returns the roots of the client of a request, or the question for them.

    Raises:
        ToolError: the client names its roots, but not when it is asked.
    """
    known = ctx.session.client_capabilities
    if known is None or known.roots is None:
        return None
    if asks_by_rounds(ctx):
        answer = (ctx.input_responses or {}).get(KEY)
        if not isinstance(answer, ListRootsResult):
            return InputRequiredResult(input_requests={KEY: ListRootsRequest()}, request_state=KEY)
    else:
        about = ServerMessageMetadata(related_request_id=ctx.request_id)
        try:
            with anyio.fail_after(SECONDS):
                asked = ListRootsRequest(), ListRootsResult
                answer = await ctx.session.send_request(*asked, metadata=about)
        except NoBackChannelError:
            return None  # nothing can be asked over this connection
        except (MCPError, TimeoutError) as error:
            raise ToolError(
                "this client did not name its roots when it was asked, and files are opened within "
                "them alone; try again, or give an http(s):// link"
            ) from error
    return [str(root.uri) for root in answer.roots]


@contextmanager
def within(roots: Roots) -> Iterator[None]:
    """Has `given_roots` return these roots in the block, and in the threads of its work."""
    token = _roots.set(roots)
    try:
        yield
    finally:
        _roots.reset(token)


def given_roots() -> Roots:
    """Returns the roots of the client that is being answered."""
    return _roots.get()
