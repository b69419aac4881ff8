"""The request of a client: its body as it comes, and whether the client is still there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from starlette.types import Message, Receive

from framesift_server.connection import ClientLeftError
from framesift_server.gateway.openai_errors import GatewayError


class Incoming:
    """What a client sends; `receive` gives what comes after the body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = anyio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the body as it comes.

        Raises:
            ClientLeftError: the client left before its end.
        """
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            if part := message.get("body", b""):
                yield part
            more = message.get("more_body", False)
        self._ended.set()

    async def whole(self, most_bytes: int) -> bytearray:
        """Returns the body, held once.

        Raises:
            GatewayError: it is larger than allowed.
            ClientLeftError: the client left before its end.
        """
        body = bytearray()
        async for part in self.chunks():
            body += part
            if len(body) > most_bytes:
                raise GatewayError(
                    413,
                    f"the request has more than {most_bytes} bytes, which is the most that this "
                    "gateway takes; give the video by a link, or raise --max-body-bytes",
                )
        return body

    async def receive(self) -> Message:
        """Returns what comes after the body: that the client has left."""
        await self._ended.wait()
        return await self._receive()
