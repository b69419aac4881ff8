"""Requests in OpenAI's chat form become conversations, and answers go back in it."""

import json

import pytest

from framesift import Answer
from framesift.errors import ChatRequestError
from framesift.serving import ChatReply, chat_request
from framesift.types.answer import Usage


def request(*messages, **fields):
    body = {"model": "m", "messages": list(messages) or [{"role": "user", "content": "Hi?"}]}
    return chat_request({**body, **fields}, model="m", answer_tokens=7)


def test_messages_keep_their_order_and_media():
    video = {"type": "video_url", "video_url": {"url": "https://a.test/v.mp4"}}
    found = request(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "When?"}, video]},
        {"role": "assistant", "content": "At 3 s."},
        {"role": "user", "content": "And then?"},
    )
    assert [(turn.role, turn.text) for turn in found.messages] == [
        ("system", "Be brief."),
        ("user", "When?"),
        ("assistant", "At 3 s."),
        ("user", "And then?"),
    ]
    assert [media.uri for media in found.messages[1].media] == ["https://a.test/v.mp4"]
    assert found.question == "And then?"


def test_the_newer_name_of_a_bound_goes_first():
    both = request(max_completion_tokens=3, max_tokens=5)
    assert both.generation.max_new_tokens == 3
    assert request(max_tokens=5).generation.max_new_tokens == 5
    assert request(max_tokens=None).generation.max_new_tokens == 7


def test_stops_are_one_or_several():
    assert request(stop="a").generation.stop == ("a",)
    assert request(stop=["a", "b"]).generation.stop == ("a", "b")
    assert request(stop=None).generation.stop == ()


@pytest.mark.parametrize(("field", "value"), [("n", 3), ("tool_choice", "required"), ("audio", {})])
def test_what_no_model_here_does_is_refused_by_name(field, value):
    with pytest.raises(ChatRequestError, match=f"^{field} is not supported by 'm'") as error:
        request(**{field: value})
    assert (error.value.param, error.value.code) == (field, "unsupported_parameter")


def answer(reason):
    numbers = dict.fromkeys(
        ("visual_tokens_before", "visual_tokens_after", "encode_seconds", "prefill_seconds"), 0
    )
    usage = Usage(
        prompt_tokens=5,
        cached_tokens=2,
        answer_tokens=3,
        decode_seconds=0,
        kv_cache_bytes=0,
        finish_reason=reason,
        positions="original",
        **numbers,
    )
    return Answer(text="It is red.", usage=usage)


@pytest.mark.parametrize(
    ("reason", "told"), [("stop", "stop"), ("stop_sequence", "stop"), ("length", "length")]
)
def test_why_an_answer_ends_has_the_names_of_openai(reason, told):
    body = ChatReply("m").whole(answer(reason), {"a": 1})
    assert body["choices"][0]["finish_reason"] == told
    assert body["usage"]["total_tokens"] == 8
    assert body["usage"]["framesift"] == {"a": 1}


def test_a_stream_of_no_words_is_whole():
    events = ChatReply("m").last(answer("stop"), {"a": 1}, include_usage=False).split(b"\n\n")
    assert events[1:] == [b"data: [DONE]", b""]
    event = json.loads(events[0].removeprefix(b"data: "))
    assert event["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert event["framesift"] == {"a": 1}
