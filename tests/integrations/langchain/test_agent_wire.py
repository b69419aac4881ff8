"""What providers are sent by an agent with `VideoMiddleware`, recorded by a server on loopback."""

import functools
import json

import pytest

from chat_server import chat_server

pytest.importorskip("langchain.agents")
pytest.importorskip("langchain_openai")
pytest.importorskip("langchain_anthropic")
pytest.importorskip("langchain_ollama")
pytest.importorskip("langchain_google_genai")

from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_anthropic import ChatAnthropic
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_framesift import CompressVideoBlocks, VideoCompressor, VideoMiddleware, VideoToolkit

CLIP = "synthetic://number?seed=3"
LOOK = ("compress_video", {"video": CLIP})


class Seen(BaseModel):
    """What was seen."""

    number: int


def openai_chat(calls):
    tool_calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(a)}}
        for n, (name, a) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": None if calls else "Done."}
    message |= {"tool_calls": tool_calls} if calls else {}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


def openai_responses(calls):
    called = [
        {
            "type": "function_call",
            "id": f"f{n}",
            "call_id": f"c{n}",
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        for n, (name, arguments) in enumerate(calls)
    ]
    text = {"type": "output_text", "text": "Done.", "annotations": []}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    return {
        "id": f"resp_{len(calls)}",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "output": called or [{**said, "content": [text]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def anthropic(calls):
    used = [
        {"type": "tool_use", "id": f"c{n}", "name": name, "input": arguments}
        for n, (name, arguments) in enumerate(calls)
    ]
    return {
        "id": "x",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": used or [{"type": "text", "text": "Done."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def ollama(calls):
    called = [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls]
    message = {"role": "assistant", "content": "" if calls else "Done."}
    message |= {"tool_calls": called} if calls else {}
    return {"model": "m", "message": message, "done": True, "done_reason": "stop"}


def google(calls):
    called = [{"functionCall": {"name": name, "args": arguments}} for name, arguments in calls]
    content = {"role": "model", "parts": called or [{"text": "Done."}]}
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}


def on(url):
    return {"base_url": url, "api_key": "none"}


PROVIDERS = {
    "openai-chat": (openai_chat, lambda url: ChatOpenAI(model="gpt-4.1", **on(f"{url}/v1"))),
    "openai-responses": (
        openai_responses,
        lambda url: ChatOpenAI(model="gpt-4.1", use_responses_api=True, **on(f"{url}/v1")),
    ),
    "anthropic": (anthropic, lambda url: ChatAnthropic(model="claude-sonnet-5", **on(url))),
    "ollama": (ollama, lambda url: ChatOllama(model="llama3.2-vision", base_url=url)),
    "google": (google, lambda url: ChatGoogleGenerativeAI(model="gemini-2.5-flash", **on(url))),
}


@pytest.fixture(scope="module")
def tools():
    return VideoToolkit(model="tiny", max_images=1).get_tools()


@pytest.fixture(scope="module")
def requests_of(tools):
    """Returns the requests of an agent whose provider answers with each of `turns` of calls."""

    def requests_of(provider, *turns, middleware=None, **options):
        answer, make = PROVIDERS[provider]
        left = iter([*turns, ()])
        body = lambda _: (200, {"Content-Type": "application/json"}, written(answer(next(left))))  # noqa: E731
        middleware = VideoMiddleware(compress=two_keyframes()) if middleware is None else middleware
        with chat_server(body) as server:
            agent = create_agent(
                make(server.url.removesuffix("/v1")), tools, middleware=[middleware], **options
            )
            video = [{"type": "text", "text": "What is it?"}, {"type": "video", "url": CLIP}]
            state = agent.invoke({"messages": [{"role": "user", "content": video}]})
            return server.asked, state

    return requests_of


@pytest.fixture(scope="module")
def looked(requests_of):
    """Returns the requests and the state of an agent that looks once, run once per provider."""
    return functools.cache(lambda provider: requests_of(provider, [LOOK]))


def written(answer):
    return json.dumps(answer).encode()


def two_keyframes():
    return CompressVideoBlocks(compressor=VideoCompressor(count=2))


def kinds(blocks):
    return [block["type"] for block in blocks]


def pictures_last(blocks, picture):
    """Whether blocks are texts and then a picture, at least one of each."""
    return blocks[-1] == picture and set(blocks[:-1]) <= {"text", "input_text"} and len(blocks) > 1


def test_openai_chat_is_shown_pictures_of_tools_by_the_user_after_all_results(requests_of):
    asked, _ = requests_of("openai-chat", [LOOK, LOOK])
    first, second = asked
    assert [message["role"] for message in first["messages"]] == ["user"]
    shown = kinds(first["messages"][0]["content"])
    assert shown.count("image_url") == 2
    assert "video" not in shown
    roles = [message["role"] for message in second["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user"]
    results = second["messages"][2:4]
    assert {kind for message in results for kind in kinds(message["content"])} == {"text"}
    assert [message["tool_call_id"] for message in results] == ["c0", "c1"]
    assert "[picture 1," in results[0]["content"][-1]["text"]
    assert "[picture 2," in results[1]["content"][-1]["text"]
    sent = second["messages"][4]["content"]
    assert kinds(sent) == ["text", "text", "image_url", "text", "image_url"]
    assert sent[2]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    names = [tool["function"]["name"] for tool in second["tools"]]
    assert names == ["compress_video", "ask_video", "find_in_video", "read_video_text"]


def test_openai_responses_takes_pictures_in_results(looked):
    (_, second), _ = looked("openai-responses")
    user, call, result = second["input"]
    assert kinds(user["content"]).count("input_image") == 2
    assert (call["type"], result["type"]) == ("function_call", "function_call_output")
    assert pictures_last(kinds(result["output"]), "input_image")
    assert result["output"][-1]["image_url"].startswith("data:image/jpeg;base64,/9j/")
    assert len(second["tools"]) == 4


def test_anthropic_takes_pictures_in_results(looked):
    (_, second), _ = looked("anthropic")
    user, call, result = second["messages"]
    assert kinds(user["content"]).count("image") == 2
    assert kinds(call["content"]) == ["tool_use"]
    (block,) = result["content"]
    assert block["type"] == "tool_result"
    assert pictures_last(kinds(block["content"]), "image")
    source = block["content"][-1]["source"]
    assert (source["type"], source["media_type"]) == ("base64", "image/jpeg")
    assert len(second["tools"]) == 4


def test_ollama_is_shown_pictures_of_tools_by_the_user(looked):
    (_, second), _ = looked("ollama")
    roles = [message["role"] for message in second["messages"]]
    assert roles == ["user", "assistant", "tool", "user"]
    counts = [len(message.get("images") or ()) for message in second["messages"]]
    assert counts == [2, 0, 0, 1]
    assert "Picture 1" in second["messages"][-1]["content"]
    assert len(second["tools"]) == 4


def test_google_takes_pictures_beside_results(looked):
    (_, second), _ = looked("google")
    user, call, result = second["contents"]
    assert sum("inlineData" in part for part in user["parts"]) == 2
    assert "functionCall" in call["parts"][0]
    held = {key for part in result["parts"] for key in part}
    assert held == {"inlineData", "functionResponse"}
    assert len(second["tools"][0]["functionDeclarations"]) == 4


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_state_holds_addresses_and_the_answer_says_what_was_shown(looked, provider):
    _, state = looked(provider)
    assert len(json.dumps([message.model_dump() for message in state["messages"]])) < 10_000
    last = state["messages"][-1]
    assert last.text == "Done."
    assert last.response_metadata["pictures"] == 3
    assert last.response_metadata["visual_tokens"] > 300


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.slow
def test_who_shows_pictures_can_be_stated(requests_of, provider):
    ways = []
    for where in ("tool", "user"):
        middleware = VideoMiddleware(compress=two_keyframes(), pictures_in=where)
        (_, second), _ = requests_of(provider, [LOOK], middleware=middleware)
        ways.append("Picture 1:" in json.dumps(second))
    assert ways == [False, True]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.slow
def test_structured_output_is_kept(requests_of, provider):
    asked, state = requests_of(
        provider, [LOOK], [("Seen", {"number": 44})], response_format=ToolStrategy(Seen)
    )
    assert state["structured_response"] == Seen(number=44)
    assert all('"Seen"' in json.dumps(request["tools"]) for request in asked)
