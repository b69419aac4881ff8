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
    from framesift.serving import FolderPage

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


def listed(page: FolderPage, *, any_folder: bool) -> str:
    """Returns a page of videos in lines, and what to do for the next."""
    lines = warned(page.warnings)
    if not any_folder:
        lines.append("This server opens no files; give http(s):// links to videos.")
    else:
        lines.append(f"{len(page.videos)} of {page.total} videos{':' if page.videos else ''}")
        lines += [f"{video.name} ({video.size_bytes:,} bytes)" for video in page.videos]
    if page.next_after is not None:
        lines.append(f"For more, call again with after={page.next_after!r}")
    return "\n".join(lines)
