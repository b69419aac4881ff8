"""Tool calls in plain text, for models that were not trained on a format of their own.

The system prompt lists the tools as JSON schemas, one a line, and asks for a call as one JSON
object and nothing else: `{"tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}]}`. A code
fence around it is allowed. Text that starts as such an object but is not valid, names no tool or
has arguments that are not an object is a broken call with its reason; other text is an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_SHAPE: Final = '{"tool_calls": [{"name": "<tool>", "arguments": {...}}]}'
_FENCE: Final = "```"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that a model makes."""

    name: str
    arguments: dict[str, Any]
    """By the names of the tool's parameters; not checked against its schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenToolCall:
    """A call that a model tried to make, and that cannot be run."""

    name: str | None
    """Of the tool, where that much can be read."""
    arguments: str
    """What stands in their place, as text."""
    reason: str
    """What is wrong, for the model to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """The text of a model's answer, and the tool calls in it."""

    text: str
    """Empty where the answer is calls only, all of them whole."""
    calls: tuple[ToolCall | BrokenToolCall, ...] = ()
    """In the order in which they were made."""


def instructions(functions: Sequence[Mapping[str, Any]], *, must_call: bool) -> str:
    """Returns the part of a system prompt that describes the tools and how to call them.

    Args:
        functions: name, description and parameters of each, in OpenAI's format.
        must_call: whether the model must call a tool now instead of answering in text.
    """
    when = "You must call a tool now." if must_call else "Otherwise answer in plain text."
    listed = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    return (
        "You have tools. To call them, answer with one JSON object and nothing else:\n"
        f"{_SHAPE}\nThe results come with the next message. {when}\nTools:\n{listed}"
    )


def call_text(calls: Sequence[ToolCall]) -> str:
    """Returns the text by which a model makes these calls."""
    listed = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return json.dumps({"tool_calls": listed}, ensure_ascii=False)


def result(text: str, name: str = "", *, failed: bool = False) -> str:
    """Returns the text by which a model reads what a tool has returned.

    Args:
        text: what it returned, or the error that it raised.
        name: of the tool, empty if unknown.
        failed: whether it raised an error.
    """
    kind = "Error" if failed else "Result"
    return f"{kind} of the tool{name and f' {name}'}:\n{text}"


def may_be_call(text: str) -> bool:
    """Returns whether a text could go on as a call; a text that cannot is an answer already."""
    start = text.lstrip()
    return start[:1] in ("", "{") or start.startswith(_FENCE[: len(start)])


def parse(text: str, *, must_call: bool = False) -> ParsedAnswer:
    """Returns the calls in a model's answer, or its text where it makes none.

    Args:
        text: the whole answer.
        must_call: whether text that makes no call is a broken call.
    """
    body = _unfenced(text.strip())
    attempt = body.startswith("{") and '"tool_calls"' in body
    if not (attempt or must_call):
        return ParsedAnswer(text=text)
    try:
        calls = json.loads(body, parse_constant=_refused)["tool_calls"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return _broken(text, body, f"this is not {_SHAPE} ({error})")
    if not isinstance(calls, list) or not calls:
        return _broken(text, body, "tool_calls must be a list of at least one call")
    parsed = tuple(map(_call, calls))
    whole = all(isinstance(call, ToolCall) for call in parsed)
    return ParsedAnswer(text="" if whole else text, calls=parsed)


def _unfenced(body: str) -> str:
    if not body.startswith(_FENCE):
        return body
    return body.removeprefix(_FENCE).removeprefix("json").removesuffix(_FENCE).strip()


def _call(call: Any) -> ToolCall | BrokenToolCall:
    name = call.get("name") if isinstance(call, dict) else None
    if not isinstance(name, str) or not name:
        reason = 'a call needs the "name" of a tool'
        return BrokenToolCall(name=None, arguments=json.dumps(call), reason=reason)
    arguments = call.get("arguments")
    if not isinstance(arguments, dict):
        reason = '"arguments" must be a JSON object'
        return BrokenToolCall(name=name, arguments=json.dumps(arguments), reason=reason)
    return ToolCall(name=name, arguments=arguments)


def _broken(text: str, body: str, reason: str) -> ParsedAnswer:
    return ParsedAnswer(
        text=text, calls=(BrokenToolCall(name=None, arguments=body, reason=reason),)
    )


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
