"""Tool calls in plain text, for models that were not trained on a format of their own.

What a model is told: the tools as JSON schemas, one a line, and that a call is one JSON object and
nothing else, `{"tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}]}`. A code fence
around it is allowed. What starts as such an object and is none, or names no tool, or has arguments
that are no object, becomes an invalid tool call with the reason; any other text is an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from langchain_core.messages import InvalidToolCall, ToolCall, ToolCallChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk

_FENCED: Final = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?\s*```\Z", re.DOTALL)
_SHAPE: Final = '{"tool_calls": [{"name": "<tool>", "arguments": {...}}]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a model said, with the calls in it."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    invalid: tuple[InvalidToolCall, ...] = ()

    def chunks(self) -> list[ToolCallChunk]:
        """Returns the calls as parts of a stream, from which LangChain makes the same calls."""
        whole = [
            tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"], index=place)
            for place, c in enumerate(self.calls)
        ]
        # LangChain mends broken JSON of streams; a JSON string is no object, so it stays invalid.
        broken = [
            tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"], index=place)
            for place, c in enumerate(self.invalid, start=len(whole))
        ]
        return [*whole, *broken]


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
        raise ValueError(f"tool_choice={tool_choice!r} is no tool; choose one of: {names}")
    return named, True


def instructions(functions: Sequence[Mapping[str, Any]], *, must_call: bool) -> str:
    """Returns what a model is told of its tools."""
    when = "You must call a tool now." if must_call else "Otherwise answer in plain text."
    listed = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    return (
        "You have tools. To call them, answer with one JSON object and nothing else:\n"
        f"{_SHAPE}\nThe results come with the next message. {when}\nTools:\n{listed}"
    )


def spoken(calls: Sequence[ToolCall]) -> str:
    """Returns the text by which a model makes these calls."""
    told = [{"name": call["name"], "arguments": call["args"]} for call in calls]
    return json.dumps({"tool_calls": told}, ensure_ascii=False)


def may_be_call(text: str) -> bool:
    """Returns whether a text could go on as a call; a text that cannot is an answer already."""
    start = text.lstrip()
    return start[:1] in ("", "{") or start.startswith("```"[: len(start)])


def parse(text: str, *, must_call: bool) -> Said:
    """Returns the calls in what a model said, or its text where it is an answer."""
    body = text.strip()
    if fenced := _FENCED.match(body):
        body = fenced[1].strip()
    attempt = body.startswith("{") and '"tool_calls"' in body
    if not (attempt or must_call):
        return Said(text=text)
    try:
        calls = json.loads(body, parse_constant=_refused)["tool_calls"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return _invalid(text, None, body, f"this is not {_SHAPE} ({error})")
    if not isinstance(calls, list) or not calls:
        return _invalid(text, None, body, "tool_calls must be a list of at least one call")
    found = [_call(call) for call in calls]
    invalid = tuple(call for call in found if call["type"] == "invalid_tool_call")
    return Said(
        text=text if invalid else "",
        calls=tuple(call for call in found if call["type"] == "tool_call"),
        invalid=invalid,
    )


def _call(call: Any) -> ToolCall | InvalidToolCall:
    name = call.get("name") if isinstance(call, dict) else None
    if not isinstance(name, str) or not name:
        return _broken(None, json.dumps(call), 'a call needs the "name" of a tool')
    arguments = call.get("arguments")
    if not isinstance(arguments, dict):
        return _broken(name, json.dumps(arguments), '"arguments" must be a JSON object')
    return tool_call(name=name, args=arguments, id=_id())


def _invalid(text: str, name: str | None, args: str, error: str) -> Said:
    return Said(text=text, invalid=(_broken(name, args, error),))


def _broken(name: str | None, args: str, error: str) -> InvalidToolCall:
    return invalid_tool_call(name=name, args=args, id=_id(), error=error)


def _id() -> str:
    return f"call_{uuid4().hex}"


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
