"""Lets an agent of LangChain fetch a video, find the moment, and answer by its tools."""

import argparse
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_framesift import ChatFramesift, VideoToolkit


class Scripted(BaseChatModel):
    """Makes calls that are written down, since the toy model cannot choose its own."""

    calls: list[ToolCall]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> BaseChatModel:
        """Returns the model as it is; its script knows the tools."""
        return self

    def _generate(self, messages: list[BaseMessage], *given: Any, **options: Any) -> ChatResult:
        results = [message.text for message in messages if isinstance(message, ToolMessage)]
        said = AIMessage(f"The video says: {results[-1]}" if results else "")
        if len(results) < len(self.calls):
            said = AIMessage("", tool_calls=[self.calls[len(results)]])
        return ChatResult(generations=[ChatGeneration(message=said)])


def main() -> None:
    """Prints what the agent calls, what the tools return, and what it says at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://number?seed=3")
    parser.add_argument("--question", default="What number flashes?")
    parser.add_argument("--vlm", default="tiny", help="A model that follows instructions.")
    options = parser.parse_args()

    toolkit = VideoToolkit(model=options.vlm)
    asked = {"video": options.video, "question": options.question}
    found = {"video": options.video, "query": options.question, "count": 1}
    model: BaseChatModel = Scripted(
        calls=[
            ToolCall(name="find_in_video", args=found, id="1"),
            ToolCall(name="ask_video", args=asked, id="2"),
        ]
    )
    if options.vlm != "tiny":  # Any chat model that calls tools may stand here.
        model = ChatFramesift(model=options.vlm, loaded=toolkit.loaded)

    agent = create_agent(model, toolkit.get_tools())
    request = HumanMessage(f"{options.question} The video is {options.video}")
    for message in agent.invoke({"messages": [request]})["messages"]:
        for call in getattr(message, "tool_calls", ()):
            print(f"calls {call['name']}({call['args']})")
        if message.text:
            print(f"{message.type}: {message.text}")


if __name__ == "__main__":
    main()
