"""Videos become documents that survive stores, pipelines and a second reading."""

import asyncio
import json
import pickle
import shutil

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.readers.base import ReaderConfig
from llama_index.core.schema import ImageDocument, NodeRelationship
from PIL import Image

from framesift import FetchLimits, TimedText, VideoCompressor
from framesift.errors import (
    ForbiddenAddressError,
    FramesiftError,
    SourceError,
    UnsupportedSourceError,
    VideoTooLargeError,
)
from framesift.readers.base import Reading
from framesift.readers.subtitles import Subtitles
from llama_index.readers.framesift import FramesiftVideoReader


@pytest.fixture
def no_decoding(monkeypatch):
    def refused(*args, **options):
        raise AssertionError("a video was opened for decoding")

    def start():
        monkeypatch.setattr("framesift.decoders.base.Decoder.index", refused)

    return start


def pictures_of(documents):
    return [doc for doc in documents if isinstance(doc, ImageDocument)]


def test_the_class_is_a_reader():
    assert "BaseReader" in [base.__name__ for base in FramesiftVideoReader.__mro__]


def test_nodes_say_what_stands_on_the_screen(make_reader, clips_made, monkeypatch):
    line = TimedText(
        start_seconds=0.0, end_seconds=3.0, text="Total: <b>42</b>", box=(0.1, 0.1, 0.5, 0.2)
    )
    monkeypatch.setattr(Subtitles, "read", lambda reader, video: Reading(lines=(line,)))
    video, first, *_, last = make_reader(segment_seconds=3).load_data(clips_made / "cuts.mp4")
    assert "\nOn the screen: Total: <b>42</b>" in first.text
    assert first.text.startswith("cuts, part 1 of 3, 00:00 to 00:0")
    assert "Total" not in last.text
    assert "Total" not in str([video.metadata, first.metadata])


def test_segments_cover_the_video_and_are_what_the_core_finds(make_reader, clips_made):
    path = clips_made / "cuts.mp4"
    video, *parts = make_reader(segment_seconds=3).load_data(path)
    expected = VideoCompressor().moments(path, seconds_each=3)
    assert [part.metadata["start_seconds"] for part in parts] == [
        moment.segment.start_seconds for moment in expected
    ]
    assert [part.metadata["end_seconds"] for part in parts[:-1]] == [
        part.metadata["start_seconds"] for part in parts[1:]
    ]
    for part, moment in zip(parts, expected, strict=True):
        assert part.metadata["keyframe_seconds"] == moment.segment.keyframe_seconds
        with Image.open(part.image_path) as picture:
            assert picture.size == moment.keyframe.image.size
    assert video.video_resource.path == path
    assert video.metadata["segments"] == len(parts) == 3


def test_documents_say_where_they_come_from(make_reader, clips_made):
    video, *parts = make_reader(segment_seconds=3).load_data(str(clips_made / "cuts.mp4"))
    for doc in (video, *parts):
        assert doc.text.strip()
        assert doc.metadata["source"] == str(clips_made / "cuts.mp4")
        assert doc.metadata["video_id"] == video.id_
        assert len(doc.metadata["content_sha256"]) == 64
        assert "selector=keyframes" in doc.metadata["compressor"]
        assert all(isinstance(value, str | int | float) for value in doc.metadata.values())
    assert len({doc.text for doc in (video, *parts)}) == 4
    assert len({doc.id_ for doc in (video, *parts)}) == 4
    assert [child.node_id for child in video.relationships[NodeRelationship.CHILD]] == [
        part.id_ for part in parts
    ]
    assert all(part.parent_node.node_id == video.id_ for part in parts)


def test_only_the_text_is_embedded_and_the_llm_sees_times(make_reader, clips_made):
    video, part = make_reader().load_data(clips_made / "cuts.mp4")
    assert part.get_content("embed") == part.text
    shown = part.get_content("llm")
    assert "start_seconds: 0.0" in shown
    assert "content_sha256" not in shown
    assert video.get_content("embed") == video.text


def test_pictures_are_scaled_down(make_reader, clips_made):
    part = make_reader(max_side_px=64).load_data(clips_made / "cuts.mp4")[1]
    with Image.open(part.image_path) as picture:
        assert max(picture.size) == 64


def test_reading_an_unchanged_video_again_decodes_nothing(
    make_reader, clips_made, tmp_path, no_decoding
):
    first = make_reader().load_data(clips_made / "cuts.mp4")
    moved = shutil.copy(clips_made / "cuts.mp4", tmp_path / "moved.mp4")
    no_decoding()
    again = make_reader().load_data(clips_made / "cuts.mp4")
    assert [doc.to_dict() for doc in again] == [doc.to_dict() for doc in first]
    elsewhere = make_reader().load_data(moved)
    assert elsewhere[1].image_path == first[1].image_path
    assert elsewhere[1].metadata["source"] == str(tmp_path / "moved.mp4")
    assert elsewhere[1].id_ != first[1].id_
    with pytest.raises(AssertionError, match="opened for decoding"):
        make_reader(segment_seconds=2).load_data(clips_made / "cuts.mp4")


@pytest.mark.parametrize("damage", ["picture", "index"])
def test_what_is_missing_is_made_again(make_reader, clips_made, damage):
    before = make_reader().load_data(clips_made / "cuts.mp4")
    picture = before[1].image_resource.path
    if damage == "picture":
        picture.unlink()
    else:
        (picture.parent / "segments.json").write_text("[{")
    after = make_reader().load_data(clips_made / "cuts.mp4")
    assert [doc.id_ for doc in after] == [doc.id_ for doc in before]
    assert picture.is_file()
    assert json.loads((picture.parent / "segments.json").read_text())
    assert not list(picture.parent.glob("*.part"))


def test_new_subtitles_make_new_texts_under_the_same_ids(make_reader, clips_made, tmp_path):
    path = shutil.copy(clips_made / "cuts.mp4", tmp_path / "talk.mp4")
    before = make_reader().load_data(path)
    (tmp_path / "talk.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nwelcome\n")
    after = make_reader().load_data(path)
    assert "welcome" in after[1].text
    assert "welcome" not in before[1].text
    assert [doc.id_ for doc in after] == [doc.id_ for doc in before]
    assert after[1].hash != before[1].hash


def test_parts_of_a_video_are_documents_of_their_own(make_reader, clips_made):
    path = clips_made / "cuts.mp4"
    read = [make_reader().load_data(f"{path}{part}") for part in ("", "#t=0,3", "#t=3")]
    assert {doc.metadata["source"] for found in read for doc in found} == {str(path)}
    assert {found[0].metadata["title"] for found in read} == {"cuts"}
    assert len({doc.id_ for found in read for doc in found}) == 6
    assert len({found[1].image_path for found in read}) == 3
    assert [doc.id_ for doc in read[0]] == [doc.id_ for doc in make_reader().load_data(path)]


def test_the_document_of_a_part_of_a_link_plays_that_part(make_reader):
    link = "synthetic://cuts?seconds=9&seed=2#t=3,6"
    video, part = make_reader().load_data(link)
    assert str(video.video_resource.url) == link
    assert (part.metadata["start_seconds"], part.metadata["end_seconds"]) == (3.0, 6.0)


def test_a_directory_reader_takes_it_for_its_files(make_reader, clips_made):
    found = SimpleDirectoryReader(
        clips_made, file_extractor=make_reader().file_extractor()
    ).load_data()
    names = {doc.metadata["file_name"] for doc in found}
    assert names == {"cuts.mp4", "number.mp4"}
    assert len(pictures_of(found)) == 2


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("http://127.0.0.1/talk.mp4", ForbiddenAddressError, "127.0.0.1"),
        ("http://169.254.169.254/latest", ForbiddenAddressError, "169.254.169.254"),
        ("file:///etc/hostname", ForbiddenAddressError, "names a file of this machine"),
        ("/etc/hostname", ForbiddenAddressError, "names a file of this machine"),
        ("ftp://example.org/talk.mp4", UnsupportedSourceError, "no source opens"),
    ],
)
def test_addresses_that_strangers_must_not_reach_are_refused(make_reader, source, error, message):
    with pytest.raises(error, match=message):
        make_reader(limits=FetchLimits(allow_files=False)).load_data(source)


def test_what_is_not_there_is_one_line(make_reader, tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        make_reader().load_data(tmp_path / "none.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnsupportedSourceError, match="holds no video"):
        make_reader().load_data(tmp_path / "empty")


def test_files_of_another_file_system_are_read_within_the_limits(make_reader, clips_made):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/talks/number.mp4", (clips_made / "number.mp4").read_bytes())
    found = make_reader().load_data("/talks/number.mp4", fs=memory)
    assert found[1].metadata["source"] == "memory:///talks/number.mp4"
    assert (
        found[1].metadata["content_sha256"]
        == (make_reader().load_data(clips_made / "number.mp4")[1].metadata["content_sha256"])
    )
    with pytest.raises(VideoTooLargeError, match="allowed are 10"):
        make_reader(limits=FetchLimits(max_bytes=10)).load_data("/talks/number.mp4", fs=memory)


def test_a_reader_survives_json_and_pickle(make_reader, clips_made):
    reader = make_reader(segment_seconds=3, limits=FetchLimits(max_bytes=10**6))
    for copy in (
        FramesiftVideoReader.from_json(reader.to_json()),
        FramesiftVideoReader.from_dict(reader.to_dict()),
        pickle.loads(pickle.dumps(reader)),
    ):
        assert copy == reader
    config = ReaderConfig(reader=reader, reader_args=[str(clips_made / "cuts.mp4")])
    assert len(pictures_of(config.read())) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"segment_seconds": 0},
        {"segment_seconds": float("nan")},
        {"max_side_px": 0},
        {"fps": -1},
        {"selector": "best"},
    ],
)
def test_wrong_options_are_told_when_it_is_made(make_reader, options):
    with pytest.raises(FramesiftError):
        make_reader(**options)


async def test_two_tasks_may_read_one_video(make_reader, clips_made):
    reader = make_reader()
    path = clips_made / "cuts.mp4"
    one, other = await asyncio.gather(reader.aload_data(path), reader.aload_data(path))
    assert [doc.to_dict() for doc in one] == [doc.to_dict() for doc in other]
