"""What tools return, as blocks of text and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mcp.server.mcpserver import Image
from mcp_types import CallToolResult, ContentBlock, TextContent
from pydantic import BaseModel

from framesift import Segment
from framesift.serving import cut

if TYPE_CHECKING:
    from framesift import Keyframe

QUALITY: Final = 80


def result(line: str, shown: list[ContentBlock], facts: BaseModel) -> CallToolResult:
    """Returns text, pictures, and the facts that clients read by their schema."""
    return CallToolResult(
        content=[TextContent(type="text", text=line), *shown],
        structured_content=facts.model_dump(mode="json"),
    )


def pictured(line: str, frame: Keyframe | None) -> list[ContentBlock]:
    """Returns a line, and the picture that it is about where there is one."""
    if frame is None:
        return [TextContent(type="text", text=line)]
    image = Image(data=frame.jpeg(quality=QUALITY), format="jpeg")
    return [TextContent(type="text", text=line), image.to_image_content()]


def warned(warnings: Sequence[str]) -> list[str]:
    """Returns warnings as an agent reads them, before what they are about."""
    return [f"Warning: {line}" for line in warnings]


def span(segment: Segment) -> str:
    """Returns from when to when a segment is, and why."""
    start, end = cut(segment.start_seconds, 2), cut(segment.end_seconds, 2)
    return f"{start:.2f} - {end:.2f} s: {segment.reason}"
