"""Messages of LlamaIndex as a conversation that framesift reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from llama_index.core.base.llms.types import (
    CachePoint,
    ChatMessage,
    ContentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from framesift import Message
from framesift.errors import InvalidOptionError
from framesift.serving import data_uri, role_of, tool_calls

RESULTS: Final = (MessageRole.TOOL, MessageRole.FUNCTION)


def conversation(messages: Sequence[ChatMessage], fps: float) -> list[Message]:
    """Returns the messages for `Assistant.reply`; results of tools come from the user.

    Args:
        messages: of any role, with blocks of text, pictures and videos.
        fps: frames per second that videos are sampled at, the only ones a block may ask for.

    Raises:
        InvalidOptionError: a block that no vision LLM reads, or that asks for another sampling.
    """
    return [_message(message, fps) for message in messages]


def _message(message: ChatMessage, fps: float) -> Message:
    texts = [block.text for block in message.blocks if isinstance(block, TextBlock)]
    calls = [_call(block) for block in message.blocks if isinstance(block, ToolCallBlock)]
    texts += [tool_calls.call_text(calls)] if calls else []
    text = "\n".join(text for text in texts if text)
    return Message(
        role=role_of(message.role.value),
        text=tool_calls.result(text) if message.role in RESULTS else text,
        videos=tuple(_video(block, fps) for block in message.blocks if not _is_beside(block)),
    )


def _is_beside(block: ContentBlock) -> bool:
    """Whether a block holds text, or nothing that a model is to see."""
    return isinstance(block, TextBlock | ThinkingBlock | CachePoint | ToolCallBlock)


def _call(block: ToolCallBlock) -> tool_calls.ToolCall:
    """Returns a call that another LLM has made, whose arguments may be JSON still."""
    arguments: Any = block.tool_kwargs
    if isinstance(arguments, str):
        with suppress(ValueError):
            arguments = json.loads(arguments)
    if not isinstance(arguments, dict):
        raise InvalidOptionError(
            f"a call of the tool {block.tool_name!r} has the arguments {arguments!r:.100}; they "
            "must be an object, or the JSON of one"
        )
    return tool_calls.ToolCall(name=block.tool_name, arguments=arguments)


def _video(block: ContentBlock, fps: float) -> Path | str:
    """Returns what framesift opens: a path, a link, or a data: URI where the block holds bytes."""
    if isinstance(block, VideoBlock):
        if block.fps not in (None, fps):
            raise InvalidOptionError(
                f"a video block asks for fps={block.fps}, but all videos of a conversation are "
                f"sampled alike at {fps:g}; set fps of the model"
            )
        held, kind = block.video, block.video_mimetype or "video/unknown"
    elif isinstance(block, ImageBlock):
        held, kind = block.image, block.image_mimetype or "image/unknown"
    else:
        raise InvalidOptionError(
            f"a block of the type {block.block_type!r} is nothing that a vision LLM reads; give "
            "text, image or video blocks"
        )
    if held is not None:
        # Only bytes are resolved here: a link would be fetched without any check.
        content = block.resolve_video() if isinstance(block, VideoBlock) else block.resolve_image()
        return data_uri(content.read(), kind)
    if block.path is not None:
        return block.path
    if block.url is not None:
        return str(block.url)
    raise InvalidOptionError(f"a {block.block_type} block is empty; give its path, url or bytes")
