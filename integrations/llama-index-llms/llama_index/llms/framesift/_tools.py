"""Tool calls in plain text, for models that were not trained on a format of their own.

A model is told its tools as JSON schemas, one a line, and that a call is one JSON object and
nothing else: `{"tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}]}`. A code fence
around it is allowed. Any other text is an answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from pydantic import BaseModel, ValidationError

_SHAPE: Final = '{"tool_calls": [{"name": "<tool>", "arguments": {...}}]}'


class _Call(BaseModel):
    name: str
    arguments: dict[str, object]


class _Calls(BaseModel):
    tool_calls: list[_Call]


def instructions(tools: Sequence[BaseTool], *, required: bool) -> str:
    """Returns what a model is told of its tools."""
    when = "You must call a tool now." if required else "Otherwise answer in plain text."
    functions = [tool.metadata.to_openai_tool()["function"] for tool in tools]
    listed = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    return (
        "You have tools. To call them, answer with one JSON object and nothing else:\n"
        f"{_SHAPE}\nThe results come with the next message. {when}\nTools:\n{listed}"
    )


def calls_in(text: str) -> list[ToolSelection]:
    """Returns the calls that a text makes, none where it is an answer or no proper call.

    Equal texts have calls of equal ids, since LlamaIndex asks for those of one answer repeatedly.
    """
    body = text.strip()
    if body.startswith("```"):
        body = body.removeprefix("```").removeprefix("json").removesuffix("```").strip()
    try:
        calls = _Calls.model_validate_json(body).tool_calls
    except ValidationError:
        return []
    digits = hashlib.sha256(body.encode()).hexdigest()[:16]
    return [
        ToolSelection(tool_id=f"call_{digits}_{n}", tool_name=c.name, tool_kwargs=c.arguments)
        for n, c in enumerate(calls)
    ]
