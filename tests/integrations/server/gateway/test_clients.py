"""Clients that know nothing of a gateway send videos and are answered, over loopback."""

import base64
import io

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from ollama import Client
from PIL import Image

from engine_doubles import Ollama, Sglang, Vllm

LOOK = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def messages(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", 20, fps=1)
    address = f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"
    parts = [
        {"type": "video_url", "video_url": {"url": address}},
        {"type": "text", "text": "What colour is it?"},
    ]
    return [{"role": "user", "content": parts}]


@pytest.fixture
def base_url(engine, gateway):
    return f"{gateway(engine.address, frames=4).base_url}/v1"


@pytest.fixture
def client(base_url):
    with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        yield client


def pictures(engine):
    return sum(
        part["type"] == "image_url"
        for message in engine.requests[-1]["messages"]
        for part in message["content"]
    )


def test_openai_is_answered_and_told(client, engine, messages):
    answer = client.chat.completions.create(model="double", messages=messages)
    assert answer.choices[0].message.content == "It is red."
    assert answer.usage.total_tokens == 10
    told = answer.usage.framesift
    assert (told["frames_before"], told["frames_after"]) == (20, 4)
    assert pictures(engine) == 4


def test_openai_with_knobs_and_headers(client, engine, messages):
    raw = client.chat.completions.with_raw_response.create(
        model="double", messages=messages, extra_body={"framesift": {"frames": 2}}
    )
    assert raw.headers["x-framesift-frames"] == "2"
    assert raw.parse().usage.framesift["frames_after"] == pictures(engine) == 2
    with pytest.raises(openai.BadRequestError, match="has no option 'share'") as error:
        client.chat.completions.create(
            model="double", messages=messages, extra_body={"framesift": {"share": 2}}
        )
    assert (error.value.param, error.value.code) == ("framesift", "invalid_value")


def test_openai_as_a_stream(client, messages):
    stream = client.chat.completions.create(
        model="double", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    *words, last = stream
    assert "".join(chunk.choices[0].delta.content for chunk in words) == "It is red."
    assert last.usage.framesift["frames_after"] == 4


async def test_openai_asynchronously(base_url, messages):
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        answer = await client.chat.completions.create(model="double", messages=messages)
        assert answer.choices[0].message.content == "It is red."
        stream = await client.chat.completions.create(
            model="double", messages=messages, stream=True
        )
        words = [chunk.choices[0].delta.content async for chunk in stream]
    assert "".join(words) == "It is red."


def test_openai_with_tools(client, engine, messages):
    answer = client.chat.completions.create(model="double", messages=messages, tools=[LOOK])
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "look"
    said = answer.choices[0].message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": call.id, "content": messages[0]["content"][:1]}
    again = client.chat.completions.create(model="double", messages=[*messages, said, result])
    assert again.choices[0].message.content == "It is red."
    assert [m["role"] for m in engine.requests[-1]["messages"]] == [
        *("user", "assistant", "tool", "user")
    ]


def test_openai_lists_models_and_raises_errors_of_the_engine(client, messages):
    assert [model.id for model in client.models.list()] == ["double"]
    with pytest.raises(openai.NotFoundError, match="The model `none` does not exist"):
        client.chat.completions.create(model="none", messages=messages)


def test_openai_raises_an_error_within_a_stream(scripted, gateway):
    event = b'data: {"choices":[{"index":0,"delta":{"content":"It"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    upstream = scripted(head + b"\r\n%x\r\n%s\r\n" % (len(event), event))
    base_url = f"{gateway(upstream).base_url}/v1"
    with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="double", messages=[{"role": "user", "content": "?"}], stream=True
        )
        assert next(stream).choices[0].delta.content == "It"
        with pytest.raises(openai.APIError, match="the upstream broke off"):
            next(stream)


def test_langchain(base_url, engine, messages):
    chat = ChatOpenAI(model="double", base_url=base_url, api_key="any", max_retries=0)
    answer = chat.invoke([HumanMessage(messages[0]["content"])])
    assert answer.content == "It is red."
    assert answer.usage_metadata["total_tokens"] == 10
    assert answer.response_metadata["token_usage"]["framesift"]["frames_after"] == 4
    assert pictures(engine) == 4
    streamed = "".join(c.content for c in chat.stream([HumanMessage(messages[0]["content"])]))
    assert streamed == "It is red."
    few = chat.bind(extra_body={"framesift": {"frames": 2}})
    assert few.invoke([HumanMessage(messages[0]["content"])]).content == "It is red."
    assert pictures(engine) == 2


@pytest.mark.parametrize("kind", [Vllm, Sglang, Ollama])
def test_openai_before_each_engine(started, gateway, messages, kind):
    engine = started(kind(alternates=True))
    base_url = f"{gateway(engine.address, frames=4).base_url}/v1"
    with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        ask = client.chat.completions.create
        assert ask(model="double", messages=messages).usage.framesift["frames_after"] == 4
        *_, last = ask(
            model="double", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        assert last.usage.framesift["frames_before"] == 20
        answer = ask(model="double", messages=messages, tools=[LOOK])
        assert answer.choices[0].message.tool_calls[0].function.name == "look"
    assert [len(seen["sizes"]) for seen in engine.seen] == [4, 4, 4]


def test_the_client_of_ollama_goes_through(started, gateway):
    """Its own protocol knows no videos, so that nothing is there to shorten."""
    engine = started(Ollama())
    address = str(gateway(engine.address).base_url)
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(picture, "JPEG")
    said = {"role": "user", "content": "What colour?", "images": [picture.getvalue()]}
    with Client(host=address) as client:
        answer = client.chat(model="double", messages=[said])
    assert answer.message.content == "It is red."
    assert engine.seen == [{"sizes": [(32, 32)], "videos": []}]
