"""An agent with a checkpointer in a file, as a process of its own that a test may kill.

    python agent_process.py FOLDER start    asks two questions; the second answer never comes
    python agent_process.py FOLDER resume   answers the second question, and a third

It prints a line of JSON for each answer, and `waiting` where the second one is due.
"""

import json
import sqlite3
import sys
import time

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.sqlite import SqliteSaver

from langchain_framesift import VideoMiddleware, VideoToolkit

NUMBER, CUTS = "synthetic://number?seed=3", "synthetic://cuts?seconds=9&seed=2"
WANTED = {
    "What is the room like?": ("compress_video", {"video": NUMBER}),
    "What number flashes?": ("ask_video", {"video": NUMBER, "question": "What number flashes?"}),
    "And the other video?": ("compress_video", {"video": CUTS}),
}


class Scripted(BaseChatModel):
    """Calls the tool that the last question wants, and then says what it has given."""

    profile: dict = {"image_inputs": True, "image_tool_message": True}
    hangs_at: str | None = None

    @property
    def _llm_type(self):
        return "scripted"

    def bind_tools(self, tools, **_):
        return self

    def _generate(self, messages, *arguments, **options):
        last = max(n for n, message in enumerate(messages) if isinstance(message, HumanMessage))
        question = messages[last].text
        if not isinstance(messages[-1], ToolMessage):
            name, wanted = WANTED[question]
            call = {"name": name, "args": wanted, "id": question}
            said = AIMessage("", tool_calls=[call])
        elif question == self.hangs_at:
            print("waiting", flush=True)
            time.sleep(600)
            raise AssertionError("nobody has killed this process")
        else:
            said = AIMessage(messages[-1].content[0]["text"])
        return ChatResult(generations=[ChatGeneration(message=said)])


def main(folder, task):
    first, second, third = WANTED
    agent = create_agent(
        Scripted(hangs_at=second if task == "start" else None),
        VideoToolkit(model="tiny", max_images=2).get_tools(),
        middleware=[VideoMiddleware(media_folder=f"{folder}/pictures")],
        checkpointer=SqliteSaver(
            sqlite3.connect(f"{folder}/agent.sqlite", check_same_thread=False)
        ),
    )
    for question in (first, second) if task == "start" else (None, third):
        given = None if question is None else {"messages": [HumanMessage(question)]}
        thread = {"configurable": {"thread_id": "1"}}
        messages = agent.invoke(given, thread, durability="sync")["messages"]
        seen = {"messages": [message.type for message in messages], "answer": messages[-1].text}
        seen["pictures"] = messages[-1].response_metadata.get("pictures", 0)
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
