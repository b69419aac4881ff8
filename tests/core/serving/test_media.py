"""Every spelling of a video or picture in a message is read as the same thing."""

from base64 import b64encode
from pathlib import Path

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import HumanMessage
from langchain_core.messages.content import create_image_block, create_video_block

from framesift.errors import InvalidOptionError, UnsupportedSourceError
from framesift.serving import Media, content_parts, media_of

LINK = "https://example.com/talk.mp4"
BYTES = b64encode(b"\x00\x01video").decode()
DATA = f"data:video/mp4;base64,{BYTES}"
PAGE = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
GOOGLE = "https://generativelanguage.googleapis.com"
FILE = {"type": "file", "mime_type": "video/webm"}


@pytest.mark.parametrize(
    ("block", "uri"),
    [
        (create_video_block(url=LINK), LINK),
        (create_video_block(base64=BYTES, mime_type="video/mp4"), DATA),
        ({"type": "video", "source_type": "url", "url": LINK}, LINK),
        ({"type": "video", "source_type": "base64", "data": BYTES, "mime_type": "video/mp4"}, DATA),
        ({"type": "video_url", "video_url": {"url": LINK}}, LINK),
        ({"type": "video_url", "video_url": LINK}, LINK),
        ({"type": "video_url", "video_url": {"url": DATA}}, DATA),
        ({"type": "media", "mime_type": "video/mp4", "file_uri": LINK}, LINK),
        ({"type": "media", "mime_type": "video/mp4", "data": b"\x00\x01video"}, DATA),
        ({"type": "media", "mime_type": "video/mp4", "data": BYTES}, DATA),
        ({**FILE, "url": LINK}, LINK),
        ({**FILE, "base64": BYTES}, f"data:video/webm;base64,{BYTES}"),
        ({"type": "file", "url": f"{LINK}?sig=1"}, f"{LINK}?sig=1"),
        ({"type": "file", "file": {"filename": "a.mp4", "file_data": DATA}}, DATA),
        ({"type": "video", "video": "talk.mp4"}, "talk.mp4"),
        ({"type": "video", "path": "/videos/talk.mp4"}, "/videos/talk.mp4"),
        ({"type": "video", "base64": BYTES}, f"data:video/unknown;base64,{BYTES}"),
        ({"type": "input_video", "video_url": LINK}, LINK),
        ({"type": "input_video", "input_video": {"data": BYTES, "format": "mp4"}}, DATA),
        ({"type": "input_file", "filename": "a.mp4", "file_data": DATA}, DATA),
        ({"type": "input_file", "file_url": LINK}, LINK),
        ({"type": "file", "file": {"filename": "a.mp4", "file_data": BYTES}}, DATA),
        ({"type": "file", "file": {"file_data": DATA}}, DATA),
        ({"type": "file", "data": BYTES, "mediaType": "video/mp4"}, DATA),
        ({"type": "file", "mime_type": "application/octet-stream", "url": LINK}, LINK),
        ({"inline_data": {"mime_type": "video/mp4", "data": BYTES}}, DATA),
        ({"inlineData": {"mimeType": "video/mp4", "data": BYTES}}, DATA),
        ({"file_data": {"mime_type": "video/mp4", "file_uri": LINK}}, LINK),
        ({"fileData": {"mimeType": "video/*", "fileUri": LINK}}, LINK),
        ({"fileData": {"fileUri": PAGE}}, PAGE),
        ({"type": "media", "file_uri": PAGE}, PAGE),
        ({"type": "video", "uri": LINK, "mime_type": "video/mp4"}, LINK),
        ({"video": {"format": "mp4", "source": {"bytes": b"\x00\x01video"}}}, DATA),
        ({"video": {"format": "mp4", "source": {"bytes": BYTES}}}, DATA),
        ({"type": "video", "video": {"format": "mp4", "source": {"bytes": BYTES}}}, DATA),
        (
            {
                "type": "video",
                "source": {"type": "base64", "mediaType": "video/mp4", "data": BYTES},
            },
            DATA,
        ),
        ({"video": LINK}, LINK),
        ({"type": "non_standard", "value": {"fileData": {"fileUri": PAGE}}}, PAGE),
    ],
)
def test_a_video_is_read_in_every_spelling(block, uri):
    assert media_of(block) == Media(kind="video", uri=uri)


@pytest.mark.parametrize(
    "block",
    [
        create_image_block(base64=BYTES, mime_type="image/png"),
        {"type": "image_url", "image_url": f"data:image/png;base64,{BYTES}"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BYTES}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BYTES}},
        {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": BYTES},
        {"type": "media", "mime_type": "image/png", "data": BYTES},
        {"inlineData": {"mimeType": "image/png", "data": BYTES}},
        {"image": {"format": "png", "source": {"bytes": BYTES}}},
    ],
)
def test_a_picture_is_read_in_every_spelling(block):
    assert media_of(block) == Media(kind="image", uri=f"data:image/png;base64,{BYTES}")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": LINK},
        {"type": "audio", "url": "https://example.com/talk.mp3"},
        {"type": "file", "mime_type": "application/pdf", "base64": BYTES},
        {"type": "file", "url": "https://example.com/talk"},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "tool_call", "id": "1", "name": "video", "args": {"url": LINK}},
        {"type": "tool_use", "id": "1", "name": "look", "input": {"video": LINK}},
        {"type": "thinking", "thinking": "A video.", "signature": "abc", "video": LINK},
        {"inlineData": {"mimeType": "audio/wav", "data": BYTES}},
        {"document": {"format": "pdf", "source": {"bytes": BYTES}}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
        {"cachePoint": {"type": "default"}},
        {},
    ],
)
def test_other_blocks_are_no_media(block):
    assert media_of(block) is None


@pytest.mark.parametrize(
    "place",
    [
        lambda options: options,
        lambda options: {"extras": options},
        lambda options: {"video_metadata": options},
        lambda options: {"videoMetadata": {"startOffset": "2s", "endOffset": "3.5s", "fps": 4}},
        lambda options: {
            "video_metadata": {
                "start_offset": {"seconds": 2},
                "end_offset": {"seconds": 3, "nanos": 500_000_000},
                "fps": 4,
            }
        },
    ],
)
def test_a_part_and_a_rate_are_read_wherever_they_stand(place):
    block = {"type": "video", "url": LINK, **place({"start": 2, "end_offset": "3.5s", "fps": "4"})}
    assert media_of(block) == Media(kind="video", uri=f"{LINK}#t=2,3.5", fps=4.0)


@pytest.mark.parametrize(
    ("url", "stated", "uri"),
    [
        (LINK, {"start": 1e-05}, f"{LINK}#t=0.00001"),
        (LINK, {"end": 5}, f"{LINK}#t=0,5"),
        (f"{LINK}#t=2,8", {}, f"{LINK}#t=2,8"),
        (f"{LINK}#t=2,8", {"start": 3}, f"{LINK}#t=3,8"),
        (f"{LINK}#t=2,8", {"end": 4}, f"{LINK}#t=2,4"),
        (f"{LINK}#t=2,8", {"start": "-0", "end": 9}, f"{LINK}#t=0,9"),
    ],
)
def test_a_part_is_spelled_so_that_the_core_reads_it(url, stated, uri):
    assert media_of({"type": "video", "url": url, **stated}) == Media(kind="video", uri=uri)


def test_what_stands_in_the_block_goes_before_its_extras():
    block = {"type": "video", "url": LINK, "fps": 2, "extras": {"fps": 1, "url": "other.mp4"}}
    assert media_of(block) == Media(kind="video", uri=LINK, fps=2.0)


@pytest.mark.parametrize("given", ["soon", -1, "nan", [3]])
def test_what_is_no_number_of_seconds_is_refused(given):
    with pytest.raises(InvalidOptionError, match="must be a number from 0 up") as error:
        media_of({"type": "video", "url": LINK, "start": given})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "video"},
        {"type": "video", "url": ""},
        {"type": "video", "video": ["frame-1.jpg", "frame-2.jpg"]},
        {"type": "image_url", "image_url": {}},
        {"type": "media", "mime_type": "video/mp4"},
    ],
)
def test_a_block_without_a_reference_says_what_it_needs(block):
    with pytest.raises(InvalidOptionError, match="needs a url, or base64") as error:
        media_of(block)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "video", "file_id": "file-17"},
        {"type": "video", "source_type": "id", "id": "file-17"},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/file-17"}}}},
        {"type": "file", "file": {"file_id": "file-17", "filename": "a.mp4"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/file-17"}},
        {"type": "media", "mime_type": "video/mp4", "file_uri": f"{GOOGLE}/v1beta/files/file-17"},
        {"type": "video_url", "video_url": {"url": "ms://file-17"}},
    ],
)
def test_a_file_of_a_provider_is_out_of_reach(block):
    with pytest.raises(UnsupportedSourceError, match="file-17' of a provider") as refused:
        media_of(block)
    assert "\n" not in str(refused.value)


def test_pictures_are_not_looked_at_where_videos_are_asked_for():
    files = [{"type": "image", "file_id": "file-17"}, {"type": "image_url", "image_url": {}}]
    content = [*files, {"type": "video", "url": LINK}]
    assert list(content_parts(content, only="video")) == [*files, Media(kind="video", uri=LINK)]


def test_a_path_object_in_a_block_is_told_apart_from_nothing():
    with pytest.raises(InvalidOptionError, match=r"^path=.*talk.mp4.* is a path object"):
        media_of({"type": "video", "path": Path("talk.mp4")})


def test_a_block_of_a_stranger_may_be_nested_deeply():
    block = {"type": "video", "url": LINK}
    for _ in range(5000):
        block = {"type": "video", "extras": block}
    with pytest.raises(InvalidOptionError, match="needs a url"):
        media_of(block)


def test_ids_depend_on_the_content_alone():
    first, second = (media_of(create_video_block(url=LINK)) for _ in range(2))
    faster = media_of({"type": "video", "url": LINK, "fps": 2})
    assert first.id == second.id == "framesift-" + first.id.removeprefix("framesift-")
    assert first.id != faster.id
    assert BYTES not in media_of(create_video_block(base64=BYTES, mime_type="video/mp4")).id


def test_parts_keep_the_order_and_leave_other_blocks_as_they_are():
    audio = {"type": "audio", "base64": BYTES, "mime_type": "audio/wav"}
    content = ["plain", create_video_block(url=LINK), audio, {"type": "text", "text": "typed"}]
    assert list(content_parts(content)) == ["plain", Media(kind="video", uri=LINK), audio, "typed"]
    assert list(content_parts("only text")) == ["only text"]
    assert list(content_parts([])) == []
    assert list(content_parts([{"text": "of Gemini"}])) == ["of Gemini"]


def test_blocks_that_langchain_does_not_know_are_read_from_content_blocks_too():
    message = HumanMessage([{"type": "video_url", "video_url": {"url": LINK}}])
    assert message.content_blocks[0]["type"] == "non_standard"
    assert list(content_parts(message.content_blocks)) == [Media(kind="video", uri=LINK)]
