"""Tool calls in plain text as LangChain has them, with its ways to choose tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from langchain_core.messages import InvalidToolCall, ToolCall, ToolCallChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk

from framesift.serving import tool_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """The text of an answer, with the calls in it."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    invalid: tuple[InvalidToolCall, ...] = ()

    def chunks(self) -> list[ToolCallChunk]:
        """Returns the calls as parts of a stream, from which LangChain makes the same calls."""
        # LangChain mends broken JSON of streams, but a JSON string stays as it is: invalid.
        return [
            tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"], index=place)
            for place, c in enumerate((*self.calls, *self.invalid))
        ]


def chosen(tools: Sequence[Mapping[str, Any]], tool_choice: Any) -> tuple[list[Any], bool]:
    """Returns the functions that may be called, and whether one must be.

    Args:
        tools: in OpenAI's format.
        tool_choice: None or "auto" for a free choice, "none", "any", "required" or True for any of
            them, or the name of one, bare or in OpenAI's format.

    Raises:
        ValueError: there is no tool of this name.
    """
    functions = [tool["function"] for tool in tools]
    if isinstance(tool_choice, Mapping):
        tool_choice = tool_choice.get("function", tool_choice).get("name")
    if tool_choice in (None, False, "auto"):
        return functions, False
    if tool_choice == "none":
        return [], False
    if tool_choice in (True, "any", "required"):
        return functions, bool(functions)
    named = [function for function in functions if function["name"] == tool_choice]
    if not named:
        names = ", ".join(function["name"] for function in functions)
        raise ValueError(f"tool_choice={tool_choice!r} is not a tool; choose one of: {names}")
    return named, True


def call_text(calls: Sequence[ToolCall]) -> str:
    """Returns the text by which a model makes these calls."""
    return tool_calls.call_text(
        [tool_calls.ToolCall(name=call["name"], arguments=call["args"]) for call in calls]
    )


def parse(text: str, *, must_call: bool) -> ParsedAnswer:
    """Returns the calls that a text makes, or the text where it is an answer."""
    parsed = tool_calls.parse(text, must_call=must_call)
    calls, invalid = list[ToolCall](), list[InvalidToolCall]()
    for call in parsed.calls:
        own_id = f"call_{uuid4().hex}"
        if isinstance(call, tool_calls.ToolCall):
            calls.append(tool_call(name=call.name, args=call.arguments, id=own_id))
        else:
            broken = {"name": call.name, "args": call.arguments, "error": call.reason}
            invalid.append(invalid_tool_call(**broken, id=own_id))
    return ParsedAnswer(text=parsed.text, calls=tuple(calls), invalid=tuple(invalid))
