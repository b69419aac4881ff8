"""Tool calls of `framesift.serving.tool_calls` as LlamaIndex has them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool

from framesift.errors import InvalidOptionError
from framesift.serving import tool_calls


def chosen(tools: Sequence[BaseTool], choice: Any, *, required: bool) -> str | None:
    """Returns the description of the tools that a model may call, None where it may call none.

    Args:
        tools: all of them.
        choice: None or "auto", "none", "any" or "required", or the name of a tool, also as OpenAI
            has it: `{"type": "function", "function": {"name": "add"}}`.
        required: whether the model must call one whatever the choice says.

    Raises:
        InvalidOptionError: there is no such tool.
    """
    name = choice
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
    names = [tool.metadata.get_name() for tool in tools]
    if not tools or name == "none":
        return None
    if name not in (None, "auto", "any", "required"):
        if name not in names:
            raise InvalidOptionError(
                f"tool_choice={choice!r} is no tool; choose auto, none, any, required or one of: "
                f"{', '.join(names)}"
            )
        tools = [tools[names.index(name)]]
    functions = [tool.metadata.to_openai_tool()["function"] for tool in tools]
    return tool_calls.instructions(functions, must_call=required or name not in (None, "auto"))


def calls_in(text: str) -> list[ToolSelection]:
    """Returns the calls that a text makes, none where it is an answer or one of them is broken.

    Equal texts have calls of equal ids, since LlamaIndex asks for those of one answer repeatedly.
    """
    digits = hashlib.sha256(text.strip().encode(errors="surrogatepass")).hexdigest()[:16]
    selections = []
    for n, call in enumerate(tool_calls.parse(text).calls):
        if isinstance(call, tool_calls.BrokenToolCall):
            return []
        selections.append(
            ToolSelection(
                tool_id=f"call_{digits}_{n}", tool_name=call.name, tool_kwargs=call.arguments
            )
        )
    return selections
