"""Agents of LangChain look at videos by the tools, and go on where one fails."""

import json

import pytest

pytest.importorskip("langchain.agents")

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

import framesift
from langchain_framesift.tools import VideoToolkit

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"


class Scripted(GenericFakeChatModel):
    """Says what it was given to say, and remembers what it was shown."""

    shown: list = []

    def bind_tools(self, tools, **_):
        return self

    def _generate(self, messages, *arguments, **options):
        self.shown.append(messages)
        return super()._generate(messages, *arguments, **options)


def calling(name, number, **arguments):
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": str(number)}])


@pytest.fixture(scope="module")
def tools():
    return VideoToolkit(model="tiny").get_tools()


def test_an_agent_looks_finds_asks_and_answers(tools):
    model = Scripted(
        messages=iter(
            [
                calling("compress_video", 1, video=CLIP),
                calling("find_in_video", 2, video=CLIP, query="a number"),
                calling("ask_video", 3, video=CLIP, question=QUESTION),
                AIMessage("Done."),
            ]
        ),
        shown=[],
    )
    agent = create_agent(model, tools, checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    messages = agent.invoke({"messages": [HumanMessage(QUESTION)]}, thread)["messages"]
    results = [message for message in messages if isinstance(message, ToolMessage)]
    assert [message.status for message in results] == ["success"] * 3
    expected = framesift.VideoCompressor(vlm="tiny").ask(CLIP, QUESTION)
    assert results[2].content[0]["text"].startswith(expected.text)
    assert messages[-1].text == "Done."
    # Content that a ToolMessage does not know would have come as one string of JSON.
    for message in model.shown[-1]:
        if isinstance(message, ToolMessage):
            assert {block["type"] for block in message.content} <= {"text", "image"}


def test_an_agent_goes_on_where_a_tool_fails(tools):
    model = Scripted(
        messages=iter(
            [
                calling("ask_video", 1, video="http://10.0.0.1/a.mp4", question=QUESTION),
                calling("ask_video", 2, video=CLIP),
                calling("ask_video", 3, video=CLIP, question=QUESTION),
                AIMessage("Done."),
            ]
        ),
        shown=[],
    )
    messages = create_agent(model, tools).invoke({"messages": [HumanMessage(QUESTION)]})["messages"]
    results = [message for message in messages if isinstance(message, ToolMessage)]
    assert [message.status for message in results] == ["error", "error", "success"]
    assert "10.0.0.1" in results[0].text
    assert messages[-1].text == "Done."


def test_chat_framesift_drives_an_agent_by_its_protocol(tools, dictated_chat):
    call = {"name": "ask_video", "arguments": {"video": CLIP, "question": QUESTION}}
    chat, shown = dictated_chat(json.dumps({"tool_calls": [call]}), "It flashes.")
    agent = create_agent(chat, tools, system_prompt="Look at videos.")
    messages = agent.invoke({"messages": [HumanMessage(QUESTION)]})["messages"]
    assert messages[-1].text == "It flashes."
    result = next(message for message in messages if isinstance(message, ToolMessage))
    first, second = shown
    assert [message.role for message in first] == ["system", "system", "user"]
    assert json.loads(second[-2].text) == {"tool_calls": [call]}
    assert second[-1].role == "user"
    assert second[-1].text == f"Result of the tool ask_video:\n{result.content[0]['text']}"
