"""Before engines that decode what they are sent and refuse the rest in their own words."""

import base64
import json

import pytest

from engine_doubles import Ollama, Sglang, Vllm
from framesift.serving import frames_that_fit

CHAT = "/v1/chat/completions"
LOOK = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.fixture(scope="module")
def numbered(tmp_path_factory, write_video):
    """A video of 40 seconds, 64 pixels high and wide, as a data: URI."""
    path = write_video(tmp_path_factory.mktemp("videos") / "numbered.mp4", count=40, fps=1)
    return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"


def asked(*addresses, **fields):
    videos = [{"type": "video_url", "video_url": {"url": address}} for address in addresses]
    messages = [{"role": "user", "content": [*videos, {"type": "text", "text": "What is it?"}]}]
    return {"model": "double", "messages": messages, **fields}


@pytest.mark.parametrize("kind", [Vllm, Sglang, Ollama])
def test_each_engine_sees_the_frames(started, gateway, numbered, kind):
    engine = started(kind(alternates=True))
    client = gateway(engine.address, frames=4)
    answer = client.post(CHAT, json=asked(numbered))
    assert answer.status_code == 200, answer.text
    (seen,) = engine.seen
    assert (len(seen["sizes"]), seen["videos"]) == (4, [])
    assert answer.json()["usage"]["framesift"]["frames_after"] == 4


@pytest.mark.parametrize("kind", [Vllm, Sglang, Ollama])
def test_a_video_of_a_tool_is_taken_by_each_engine(started, gateway, numbered, kind):
    engine = started(kind(alternates=True))
    (question,) = asked()["messages"]
    video = asked(numbered)["messages"][0]["content"][:1]
    messages = [
        question,
        {"role": "assistant", "content": None, "tool_calls": [LOOK]},
        {"role": "tool", "tool_call_id": "1", "content": video},
    ]
    client = gateway(engine.address, frames=2)
    answer = client.post(CHAT, json={"model": "double", "messages": messages})
    assert answer.status_code == 200, answer.text
    assert len(engine.seen[0]["sizes"]) == 2


@pytest.mark.parametrize(("kind", "status"), [(Vllm, 200), (Sglang, 200), (Ollama, 400)])
def test_by_the_route_none_an_engine_that_can_decodes_the_video(
    started, gateway, numbered, kind, status
):
    engine = started(kind())
    answer = gateway(engine.address, route="none").post(CHAT, json=asked(numbered))
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["message"] == "invalid message format"
    else:
        (video,) = engine.seen[0]["videos"]
        assert (video if isinstance(video, int) else len(video.frames)) == 40


@pytest.mark.parametrize("kind", [Vllm, Sglang, Ollama])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_prompt_that_is_too_long_says_how_many_frames_fit(
    started, gateway, numbered, kind, stream
):
    engine = started(kind())
    client = gateway(engine.address, frames=8)
    assert client.post(CHAT, json=asked(numbered)).is_success
    engine.context = engine.tokens - engine.words_in - 1
    refused = client.post(CHAT, json=asked(numbered, stream=stream))
    assert refused.status_code == 400
    body = refused.json()
    line = body.get("error", body)["message"]
    assert line.startswith(engine.too_long().rstrip("."))
    advice = line.partition(" framesift: ")[2]
    fit = int(advice.split("'frames': ")[1].partition("}")[0])
    assert advice.startswith(f"about {fit} of the 8 frames that were sent fit; ask for them by ")
    assert 0 < fit < 8
    again = asked(numbered, framesift={"frames": fit}, stream=stream)
    assert client.post(CHAT, json=again).is_success


def test_of_several_videos_the_frames_of_each_are_named(started, gateway, numbered):
    engine = started(Vllm())
    client = gateway(engine.address, frames=4)
    both = [numbered, f"{numbered}#t=5,20"]
    assert client.post(CHAT, json=asked(*both)).is_success
    engine.context = engine.tokens // 2
    line = client.post(CHAT, json=asked(*both)).json()["error"]["message"]
    assert line.endswith("extra_body={'framesift': {'frames': 1}} of each video")
    assert client.post(CHAT, json=asked(*both, framesift={"frames": 1})).is_success


@pytest.mark.parametrize("kind", [Vllm, Sglang])
def test_too_many_pictures_say_how_many_fit(started, gateway, numbered, kind):
    engine = started(kind(most_pictures=3))
    client = gateway(engine.address, frames=8)
    body = client.post(CHAT, json=asked(numbered)).json()
    line = body.get("error", body)["message"]
    assert "about 3 of the 8 frames that were sent fit" in line
    assert client.post(CHAT, json=asked(numbered, framesift={"frames": 3})).is_success


@pytest.mark.parametrize(
    ("kind", "line"),
    [(Vllm, "The model `none` does not exist."), (Ollama, "model 'none' not found")],
)
def test_an_unknown_model_is_told_in_the_engines_words(started, gateway, numbered, kind, line):
    client = gateway(started(kind()).address)
    answer = client.post(CHAT, json={**asked(numbered), "model": "none"})
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == line


def test_ollama_takes_no_links_to_pictures(started, gateway):
    """So the frames of a video go to it in base64, and links of clients are its own to refuse."""
    engine = started(Ollama())
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}}
    body = {"model": "double", "messages": [{"role": "user", "content": [part]}]}
    answer = gateway(engine.address).post(CHAT, json=body)
    assert answer.json()["error"]["message"] == "invalid image input"


@pytest.mark.parametrize(
    ("line", "fit"),
    [
        ("The decoder prompt (length 1300) is longer than the maximum model length of 1000.", 5),
        (
            "You passed 1300 input tokens and requested 100 output tokens. However, the model's "
            "context length is only 1100 tokens, resulting in a maximum input length of 1000 "
            "tokens. Please reduce the length of the input prompt.",
            5,
        ),
        (
            "Requested token count exceeds the model's maximum context length of 1000 tokens. You "
            "requested a total of 1300 tokens: 1200 tokens from the input messages and 100 tokens "
            "for the completion.",
            5,
        ),
        ("The input (1300 tokens) is longer than the model's context length (1000 tokens).", 5),
        (
            "Multimodal prompt is too long after expanding multimodal tokens. After expanding "
            "len(req.origin_input_ids_unpadded)=20 => 1300 >= 1000.",
            5,
        ),
        ("prompt too long; exceeded max context length by 300 tokens", 5),
        ("prompt too long; exceeded max context length by 3000 tokens", 0),
        ("the input length exceeds the context length", 4),
        ("the request exceeds the available context size, try increasing it", 4),
        ("request (1300 tokens) exceeds the available context size (1000 tokens)", 5),
        ("At most 2 image(s) may be provided in one prompt.", 2),
        ("At most 0 image(s) may be provided in one prompt.", None),
        ("Image count 9 exceeds limit 2 per request.", 2),
        (
            "max_tokens is too large: 8000. This model's maximum context length is 4096 tokens and "
            "your request has 2778 input tokens (8000 > 4096 - 2778).",
            None,
        ),
        ("max_tokens must be at least 1, got -3.", None),
        ("Unauthorized", None),
    ],
)
def test_words_of_engines_about_prompts_that_are_too_long(line, fit):
    assert frames_that_fit(line, 8, 100) == fit


def test_an_error_within_a_stream_says_how_many_frames_fit(scripted, gateway, numbered):
    line = "Multimodal prompt is too long after expanding multimodal tokens. 20 => 9 >= 8."
    event = json.dumps({"error": {"message": line, "type": "BadRequestError", "code": 400}})
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    upstream = scripted(head + f"data: {event}\n\ndata: [DONE]\n\n".encode())
    client = gateway(upstream, frames=8)
    answer = client.post(CHAT, json=asked(numbered, stream=True))
    error, done = answer.text.split("\n\n")[:2]
    assert "about 7 of the 8 frames" in json.loads(error.removeprefix("data: "))["error"]["message"]
    assert done == "data: [DONE]"
