"""Messages of LangChain as a conversation that the core reads."""

from __future__ import annotations

import json
from collections.abc import Sequence

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    ToolMessage,
)

from framesift import Message
from framesift.errors import InvalidOptionError
from framesift.serving import Media, content_parts, role_of, tool_calls
from langchain_framesift._tool_calls import call_text


def conversation(messages: Sequence[BaseMessage], instructions: str) -> list[Message]:
    """Returns the messages for `Assistant.reply`; results of tools come from the user.

    Args:
        messages: of any kind; blocks of text, pictures and videos in any spelling.
        instructions: a system message that comes first, empty for nothing.

    Raises:
        InvalidOptionError: a message of a role, or a block of a kind, that no vision LLM reads.
        UnsupportedSourceError: a block refers to a file that only its provider has.
    """
    first = [Message(role="system", text=instructions)] if instructions else []
    return [*first, *(part for message in messages for part in _read(message))]


def _read(message: BaseMessage) -> list[Message]:
    """Returns a message as one for each of its videos, and one for its text."""
    name = message.role if isinstance(message, ChatMessage) else message.type
    role = role_of(name.removesuffix("MessageChunk").lower())
    texts: list[str] = []
    shown: list[Message] = []
    for part in content_parts(message.content):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Media):
            shown.append(Message(role=role, videos=(part.uri,), fps=part.fps))
        elif isinstance(message, ToolMessage):
            texts.append(json.dumps(part, ensure_ascii=False, default=str))
        elif role != "assistant":
            raise InvalidOptionError(
                f"a block of the type {part.get('type')!r} is nothing that a vision LLM reads; "
                "give text, image or video blocks"
            )
    text = "\n".join(text for text in texts if text)
    if isinstance(message, ToolMessage):
        name = message.name or message.tool_call_id
        text = tool_calls.result(text, name, failed=message.status == "error")
    if isinstance(message, AIMessage) and message.tool_calls:
        text = "\n".join(filter(None, [text, call_text(message.tool_calls)]))
    return [*shown, Message(role=role, text=text)]
