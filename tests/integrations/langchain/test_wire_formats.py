"""Messages with videos, as the converters of the providers' own packages send them."""

import base64

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

import framesift
from framesift.errors import UnsupportedSourceError
from langchain_framesift import CompressVideoBlocks, VideoCompressor

CUTS = "synthetic://cuts?seconds=6&seed=2&width=128&height=96&fps=4"
LEAD = "2 keyframes of one video, 00:00-00:06, each after its time:"
QUESTION = {"type": "text", "text": "What is it?"}
PASSED = [
    {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}},
    {"type": "image", "file_id": "file-1"},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
    {"type": "file", "file_id": "file-2"},
    {"type": "file", "file": {"file_id": "file-3"}},
    {"type": "file", "base64": "aGk=", "mime_type": "application/pdf", "filename": "a.pdf"},
    {"type": "document", "source": {"type": "file", "file_id": "file-4"}, "title": "Terms"},
    {"type": "audio", "base64": "aGk=", "mime_type": "audio/wav"},
    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
    {"type": "media", "mime_type": "audio/mpeg", "file_uri": "gs://bucket/a.mp3"},
    {"type": "tool_use", "id": "1", "name": "look", "input": {"video": "a.mp4"}},
    {"type": "tool_result", "tool_use_id": "1", "content": [QUESTION]},
    {"type": "thinking", "thinking": "Well.", "signature": "abc"},
    {"type": "reasoning", "reasoning": "Well.", "extras": {"signature": "abc"}},
    {"type": "search_result", "source": "https://example.com/a.mp4", "title": "A", "content": []},
    {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
    {"cachePoint": {"type": "default"}},
    "plain text",
]


@pytest.fixture(scope="module")
def compress():
    return CompressVideoBlocks(compressor=VideoCompressor(count=2))


@pytest.fixture(scope="module")
def clip():
    """The bytes of a video, in base64."""
    with framesift.open_video(CUTS) as video:
        return base64.b64encode(video.path.read_bytes()).decode()


def test_every_block_that_is_no_video_stays_the_same_object(compress):
    message = HumanMessage([*PASSED, {"type": "video", "url": CUTS}, QUESTION])
    (told,) = compress.rewrite([message])
    before = told.content[: len(PASSED)]
    assert all(block is given for block, given in zip(before, message.content, strict=False))
    assert [block["type"] for block in told.content[len(PASSED) :]] == [
        "text",
        *["text", "image"] * 2,
        "text",
    ]
    others = [
        HumanMessage(PASSED),
        AIMessage(PASSED[-6:]),
        ToolMessage(PASSED[:3], tool_call_id="1"),
    ]
    assert all(a is b for a, b in zip(compress.rewrite(others), others, strict=True))


async def test_messages_are_rewritten_from_async_code_too(compress):
    given = [SystemMessage("Be brief."), HumanMessage([{"type": "video", "url": CUTS}, QUESTION])]
    assert await compress.arewrite(given) == compress.rewrite(given) == compress.invoke(given)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda data: {"type": "file", "file": {"file_data": f"data:video/mp4;base64,{data}"}},
        lambda data: {"inline_data": {"mime_type": "video/mp4", "data": data}},
        lambda data: {"inlineData": {"mimeType": "video/mp4", "data": data}},
        lambda data: {"type": "media", "mime_type": "video/mp4", "data": data},
        lambda data: {"video": {"format": "mp4", "source": {"bytes": base64.b64decode(data)}}},
        lambda data: {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}},
        lambda data: {
            "type": "video",
            "source_type": "base64",
            "data": data,
            "mime_type": "video/mp4",
        },
    ],
)
def test_bytes_of_a_video_are_shown_in_every_spelling(compress, clip, spelled):
    expected = compress.compressor.invoke(CUTS)
    (told,) = compress.invoke([HumanMessage([spelled(clip)])])
    assert told.content == expected.content_blocks


def test_a_part_and_a_rate_in_geminis_words_are_kept(compress):
    metadata = {"startOffset": "1s", "endOffset": "2.5s", "fps": 8}
    block = {"fileData": {"fileUri": CUTS, "mimeType": "video/mp4"}, "videoMetadata": metadata}
    shown = compress.compressor.invoke(block)
    assert (shown.start_seconds, shown.end_seconds) == (1.0, 2.5)
    assert [picture.seconds * 8 % 1 for picture in shown.pictures] == [0, 0]
    (told,) = compress.invoke([HumanMessage([block])])
    assert told.content == shown.content_blocks


@pytest.mark.parametrize(
    "block",
    [
        {"type": "video", "file_id": "files/abc"},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/abc"}}}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/abc"}},
    ],
)
def test_a_video_that_only_its_provider_has_is_refused_by_name(compress, block):
    with pytest.raises(UnsupportedSourceError, match=r"a video block refers to .*abc") as refused:
        compress.invoke([HumanMessage([block])])
    assert "\n" not in str(refused.value)


def test_a_mark_for_the_prompt_cache_stays_at_the_end_of_the_video(compress):
    mark = {"type": "ephemeral"}
    for block in ({"cache_control": mark}, {"extras": {"cache_control": mark}}):
        (told,) = compress.invoke([HumanMessage([{"type": "video", "url": CUTS, **block}])])
        marked = [place for place, shown in enumerate(told.content) if "cache_control" in shown]
        assert marked == [len(told.content) - 1]
        assert told.content[-1]["cache_control"] == mark


@pytest.fixture
def asked(compress):
    """What is sent after videos were rewritten: one user message, with a mark for a cache."""
    video = {"type": "video", "url": CUTS, "cache_control": {"type": "ephemeral"}}
    return compress.invoke([SystemMessage("Be brief."), HumanMessage([video, QUESTION])])


def test_openai_is_sent_parts_that_it_knows(asked):
    pytest.importorskip("langchain_openai")
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model="gpt-5-mini", api_key="none", use_responses_api=False)
    (system, user) = chat._get_request_payload(asked)["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    times = [part for part in user["content"] if part["type"] == "text"]
    assert [part["text"] for part in times] == [LEAD, "[00:01]", "[00:04]", "What is it?"]
    assert all(part.keys() == {"type", "text"} for part in times)
    pictures = [part for part in user["content"] if part["type"] != "text"]
    assert all(part.keys() == {"type", "image_url"} for part in pictures)
    assert all(part["image_url"].keys() == {"url"} for part in pictures)


def test_openais_responses_are_sent_parts_that_they_know(asked):
    pytest.importorskip("langchain_openai")
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model="gpt-5-mini", api_key="none", use_responses_api=True)
    user = chat._get_request_payload(asked)["input"][-1]
    kinds = {part["type"]: part.keys() for part in user["content"]}
    assert kinds == {"input_text": {"type", "text"}, "input_image": {"type", "image_url"}}


def test_anthropic_is_sent_blocks_that_it_knows_and_keeps_the_mark(asked):
    pytest.importorskip("langchain_anthropic")
    from langchain_anthropic import ChatAnthropic

    chat = ChatAnthropic(model="claude-sonnet-4-5", api_key="none")
    (user,) = chat._get_request_payload(asked)["messages"]
    *before, last, question = user["content"]
    assert question == QUESTION
    assert last.keys() == {"type", "source", "cache_control"}
    assert all(
        block.keys() == ({"type", "text"} if block["type"] == "text" else {"type", "source"})
        for block in before
    )
    assert last["source"].keys() == {"type", "media_type", "data"}


def test_ollama_is_sent_the_pictures_and_their_times(asked):
    pytest.importorskip("langchain_ollama")
    from langchain_ollama import ChatOllama

    chat = ChatOllama(model="llava")
    user = chat._convert_messages_to_ollama_messages(asked)[-1]
    assert len(user["images"]) == 2
    assert all(text in user["content"] for text in (LEAD, "[00:01]", "What is it?"))


def test_gemini_is_sent_the_pictures_and_their_times(asked):
    pytest.importorskip("langchain_google_genai")
    from langchain_google_genai.chat_models import _parse_chat_history

    _, (user,) = _parse_chat_history(asked)
    assert user.role == "user"
    assert [part.text for part in user.parts if part.text] == [
        LEAD,
        "[00:01]",
        "[00:04]",
        "What is it?",
    ]
    held = [part.inline_data for part in user.parts if part.inline_data]
    assert [blob.mime_type for blob in held] == ["image/jpeg"] * 2
