"""Further clients that know nothing of a gateway, set aside by `make test-clients`."""

import importlib.util
import json
import subprocess
import sys

import pytest

from engine_doubles import Ollama, Vllm

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        importlib.util.find_spec("litellm") is None, reason="litellm is not installed"
    ),
]
START = """
import asyncio, json, sys
base_url, path = sys.argv[1:]
content = open(path, "rb").read()
"""
LLAMA_INDEX = """
from llama_index.core.llms import ChatMessage, DocumentBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    model="double", api_base=base_url, api_key="any", is_chat_model=True,
    is_function_calling_model=True, max_retries=0,
)
video = DocumentBlock(path=path)
asked = [ChatMessage(role="user", blocks=[video, TextBlock(text="What colour is it?")])]

answer = llm.chat(asked)
said = {"chat": answer.message.content, "told": answer.raw.usage.framesift}
said["stream"] = [part.delta for part in llm.stream_chat(asked)]
said["async"] = asyncio.run(llm.achat(asked)).message.content

def look() -> str:
    "Looks."

tool = FunctionTool.from_defaults(look)
called = llm.chat_with_tools([tool], chat_history=asked)
said["tools"] = [c.tool_name for c in llm.get_tool_calls_from_response(called)]
few = llm.chat(asked, extra_body={"framesift": {"frames": 2}})
said["few"] = few.raw.usage.framesift["frames_after"]
"""
LITELLM = """
import base64, os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch one
import litellm

address = f"data:video/mp4;base64,{base64.b64encode(content).decode()}"
video = {"type": "video_url", "video_url": {"url": address}}
text = {"type": "text", "text": "What colour is it?"}
asked = {
    "model": "openai/double", "api_base": base_url, "api_key": "any", "max_retries": 0,
    "messages": [{"role": "user", "content": [video, text]}],
}
answer = litellm.completion(**asked)
said = {"chat": answer.choices[0].message.content, "told": answer.usage.framesift}
parts = litellm.completion(**asked, stream=True)
said["stream"] = [part.choices[0].delta.content for part in parts]
said["async"] = asyncio.run(litellm.acompletion(**asked)).choices[0].message.content
look = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
called = litellm.completion(**asked, tools=[look]).choices[0].message.tool_calls
said["tools"] = [call.function.name for call in called]
few = litellm.completion(**asked, extra_body={"framesift": {"frames": 2}})
said["few"] = few.usage.framesift["frames_after"]
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory, write_video):
    return write_video(tmp_path_factory.mktemp("videos") / "a.mp4", 20, fps=1)


@pytest.mark.parametrize("kind", [Vllm, Ollama])
@pytest.mark.parametrize("code", [LLAMA_INDEX, LITELLM], ids=["llama-index", "litellm"])
def test_a_client_is_answered_and_told(started, gateway, path, kind, code):
    """In a process of its own, since what is set aside has another version of openai's client."""
    engine = started(kind())
    base_url = f"{gateway(engine.address, frames=4).base_url}/v1"
    program = f"{START}{code}\nprint('said:' + json.dumps(said))"
    done = subprocess.run(
        [sys.executable, "-c", program, base_url, str(path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.partition("said:")[2])
    assert said["chat"] == said["async"] == "It is red."
    assert "".join(word or "" for word in said["stream"]) == "It is red."
    assert (said["told"]["frames_before"], said["told"]["frames_after"]) == (20, 4)
    assert (said["tools"], said["few"]) == (["look"], 2)
    assert [len(seen["sizes"]) for seen in engine.seen] == [4, 4, 4, 4, 2]
