"""What the tools for agents have in common: arguments, options, errors, and what a message holds.

What a chat model gets is text and a few small pictures. The artifact of the message is small and
JSON-safe, so that any checkpointer holds it. What goes wrong with a video becomes the text of an
error message, so that the agent can try something else.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from langchain_core.messages.content import create_image_block
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from framesift import Keyframe, strategies
from framesift.errors import FramesiftError
from framesift.serving import content_id, error_line
from langchain_framesift._settings import VideoSettings

Blocks = list[dict[str, Any]]

VIDEO = (
    "Link to a video file, or to a page of a video site such as YouTube or Loom. #t=START,END at "
    "its end means that part only, in seconds: #t=60,90."
)


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    video: str = Field(description=VIDEO)


class CompressArguments(_Arguments):
    """Arguments of `compress_video`."""

    question: str | None = Field(default=None, description="What you want to know about it.")
    keep: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of the visual tokens that is kept, such as 0.1 for a tenth.",
    )
    strategy: str | None = Field(
        default=None,
        description="What decides which tokens are kept; one of: "
        f"{', '.join(strategies.registry.names())}.",
    )


class ReadArguments(_Arguments):
    """Arguments of `read_video_text`."""


class AskArguments(_Arguments):
    """Arguments of `ask_video`."""

    question: str = Field(description="What to answer about the video, as a whole sentence.")


class FindArguments(_Arguments):
    """Arguments of `find_in_video`."""

    query: str = Field(description="What to look for, in words or as a question.")
    count: int = Field(default=3, ge=1, le=8, description="Most moments to return.")


class VideoToolSettings(VideoSettings):
    """What the tools have in common."""

    max_images: int = Field(default=4, ge=0, le=16, strict=True)
    """Most pictures in one message; 0 for models that take none from tools."""
    max_side_px: int = Field(default=512, ge=16, strict=True)
    """Longest side of a picture."""

    def pictures(self, frames: Sequence[tuple[str, Keyframe | None]]) -> Blocks:
        """Returns each frame as its caption and a JPEG; captions alone beyond `max_images`."""
        blocks: Blocks = []
        for number, (caption, frame) in enumerate(frames):
            blocks.append(text_block(caption))
            if frame is not None and number < self.max_images:
                jpeg = frame.jpeg(quality=85)
                image = create_image_block(
                    base64=b64encode(jpeg).decode(), mime_type="image/jpeg", id=content_id(jpeg)
                )
                blocks.append(dict(image))
        return blocks


class VideoTool(VideoToolSettings, BaseTool):
    """A tool whose messages hold text and pictures, with an artifact that is JSON."""

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: bool | str | Callable[[ToolException], str] | None = True
    handle_validation_error: bool | str | Callable[[Any], str] | None = Field(
        default_factory=lambda: _argument_errors
    )


def text_block(text: str) -> dict[str, Any]:
    """Returns text as a block; letters that no JSON of a provider holds become question marks."""
    return {"type": "text", "text": text.encode(errors="replace").decode()}


def warned(warnings: Sequence[str]) -> Blocks:
    """Returns warnings as an agent reads them, before what they are about."""
    return [text_block(f"Warning: {line}") for line in warnings]


def artifact_of(**facts: Any) -> dict[str, Any]:
    """Returns what stands beside a message, as the JSON that every checkpointer holds."""
    written = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    artifact: dict[str, Any] = json.loads(written.encode(errors="replace"))
    return artifact


@contextmanager
def tool_errors() -> Iterator[None]:
    """Raises what went wrong with a video as the line that an agent reads."""
    try:
        yield
    except FramesiftError as error:
        raise ToolException(error_line(error)) from error


def _argument_errors(error: ValidationError) -> str:
    wrong = (f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
    return f"wrong arguments: {'; '.join(wrong)}"
