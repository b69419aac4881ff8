"""Messages of LangChain as a conversation that the core reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, Literal

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from framesift import Message
from framesift.errors import InvalidOptionError
from langchain_framesift._blocks import Media, parts
from langchain_framesift._tool_calls import spoken

Role = Literal["user", "assistant", "system"]

_ROLES: Final[dict[str, Role]] = {
    "assistant": "assistant",
    "ai": "assistant",
    "developer": "system",
    "system": "system",
    "human": "user",
    "user": "user",
}


def conversation(messages: Sequence[BaseMessage], told: str) -> list[Message]:
    """Returns the messages for `Assistant.reply`; results of tools come from the user.

    Args:
        messages: of any kind; blocks of text, pictures and videos in any spelling.
        told: what the model is told first, empty for nothing.

    Raises:
        InvalidOptionError: a message of a role, or a block of a kind, that no vision LLM reads.
        UnsupportedSourceError: a block refers to a file that only its provider has.
    """
    first = [Message(role="system", text=told)] if told else []
    return [*first, *(part for message in messages for part in _read(message))]


def _read(message: BaseMessage) -> list[Message]:
    """Returns a message as one for each of its videos, and one for its text."""
    role = _role(message)
    texts: list[str] = []
    shown: list[Message] = []
    for part in parts(message.content):
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
        what = "Error" if message.status == "error" else "Result"
        text = f"{what} of the tool {message.name or message.tool_call_id}:\n{text}"
    if isinstance(message, AIMessage) and message.tool_calls:
        text = "\n".join(filter(None, [text, spoken(message.tool_calls)]))
    return [*shown, Message(role=role, text=text)]


def _role(message: BaseMessage) -> Role:
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, HumanMessage | ToolMessage):
        return "user"
    role = message.role if isinstance(message, ChatMessage) else message.type
    if role not in _ROLES:
        raise InvalidOptionError(
            f"a message has the role {role!r}; use {', '.join(sorted(_ROLES))}, or a ToolMessage"
        )
    return _ROLES[role]
