"""Tool calls of `framesift.serving.tool_calls` as LlamaIndex has them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool

from framesift.serving import tool_calls


def instructions(tools: Sequence[BaseTool], *, required: bool) -> str:
    """Returns the description of the tools that a model reads."""
    functions = [tool.metadata.to_openai_tool()["function"] for tool in tools]
    return tool_calls.instructions(functions, must_call=required)


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
