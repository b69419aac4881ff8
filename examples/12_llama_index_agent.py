"""Lets an agent of LlamaIndex ask a video, which it has as a tool."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import LLM, ChatMessage, TextBlock, VideoBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM

from llama_index.llms.framesift import FramesiftMultiModalLLM


def scripted(video: str, question: str) -> LLM:
    """Returns an LLM that calls the tool once, since the toy model cannot choose to."""

    def reply(messages: Sequence[ChatMessage], **options: Any) -> ChatMessage:
        if messages[-1].role == "tool":
            return ChatMessage(f"The video says: {messages[-1].content}", role="assistant")
        call = ToolCallBlock(
            tool_call_id="1",
            tool_name="ask_video",
            tool_kwargs={"video": video, "question": question},
        )
        return ChatMessage(role="assistant", blocks=[call])

    return MockFunctionCallingLLM(response_generator=reply)


async def main() -> None:
    """Prints what the agent calls, what the tool returns, and what it says at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://number?seed=3")
    parser.add_argument("--question", default="What number flashes?")
    parser.add_argument("--vlm", default="tiny", help="A model that follows instructions.")
    options = parser.parse_args()
    eyes = FramesiftMultiModalLLM(model=options.vlm)

    async def ask_video(video: str, question: str) -> str:
        """Answers a question about the video behind a link, with the times it rests on."""
        blocks = [VideoBlock(url=video), TextBlock(text=question)]
        answer = await eyes.achat([ChatMessage(role="user", blocks=blocks)])
        times = [
            f"{place['start_seconds']:.0f}-{place['end_seconds']:.0f} s"
            for place in answer.raw["evidence"]
        ]
        seen = f" (at {', '.join(times)})" if times else ""  # What is not shown is seen nowhere.
        return f"{answer.message.content}{seen}"

    # Any LLM that calls tools may stand here; this one does by a protocol in plain text.
    brain = eyes if options.vlm != "tiny" else scripted(options.video, options.question)
    agent = FunctionAgent(tools=[ask_video], llm=brain)
    said = await agent.run(f"{options.question} The video is {options.video}")
    for call in said.tool_calls:
        print(f"calls {call.tool_name}({call.tool_kwargs}): {call.tool_output.content}")
    print(said)


if __name__ == "__main__":
    asyncio.run(main())
