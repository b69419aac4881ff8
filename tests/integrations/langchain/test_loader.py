"""Videos become documents that an index can hold, cite and bring up to date."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("langchain_core")

from langchain_core.document_loaders import BaseLoader
from PIL import Image

import framesift
from framesift import FetchLimits, Moment
from framesift.errors import ForbiddenAddressError, InvalidOptionError, SourceError
from framesift.readers.base import Reading
from framesift.readers.subtitles import Subtitles
from langchain_framesift import VideoLoader

CUTS = "synthetic://cuts?seconds=9&seed=2&width=128&height=96&fps=4"


def test_there_is_one_document_for_each_segment(tmp_path):
    loader = VideoLoader(CUTS, seconds_each=3, keyframe_folder=tmp_path)
    assert isinstance(loader, BaseLoader)
    documents = loader.load()
    expected = framesift.VideoCompressor().segments(CUTS, count=3)
    assert [document.page_content for document in documents] == [s.caption() for s in expected]
    for document, segment in zip(documents, expected, strict=True):
        metadata = document.metadata
        assert metadata["source"] == segment.link
        assert (metadata["video"], metadata["title"]) == (CUTS, segment.title)
        assert metadata["start_seconds"] == segment.start_seconds
        assert metadata["end_seconds"] == segment.end_seconds
        assert metadata["start_timestamp"] in document.page_content
        with Image.open(metadata["keyframe_path"]) as picture:
            assert picture.size == (128, 96)
        assert json.loads(json.dumps(metadata)) == metadata
    assert len({document.id for document in documents}) == 3


def test_the_text_is_what_stands_on_the_screen(tmp_path, monkeypatch):
    line = framesift.TimedText(
        start_seconds=0.0, end_seconds=3.0, text="Total: <b>42</b>", box=(0.1, 0.1, 0.5, 0.2)
    )
    monkeypatch.setattr(Subtitles, "read", lambda reader, video: Reading(lines=(line,)))
    first, *_, last = VideoLoader(CUTS, seconds_each=3, keyframe_folder=tmp_path).load()
    assert "\nOn the screen: Total: <b>42</b>" in first.page_content
    assert "Total" not in last.page_content
    assert "Total" not in json.dumps(first.metadata)


def test_the_text_is_what_is_said_beside_the_file(write_video, tmp_path):
    path = write_video(tmp_path / "talk.mp4", 100, fps=10)
    path.with_suffix(".srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n\n"
        "2\n00:00:08,000 --> 00:00:09,000\nThank you.\n"
    )
    loader = VideoLoader(path, seconds_each=5, keyframe_folder=tmp_path / "pictures")
    first, second = (document.page_content for document in loader.load())
    assert "Good morning." in first
    assert "Thank you." not in first
    assert "Thank you." in second


def test_loading_again_gives_the_same_documents_and_files(tmp_path):
    options = {"seconds_each": 3, "keyframe_folder": tmp_path}
    first = VideoLoader(CUTS, **options).load()
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert VideoLoader(CUTS, **options).load() == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written


def test_a_part_of_a_video_is_another_video(tmp_path):
    whole, part = (
        VideoLoader(video, seconds_each=3, keyframe_folder=tmp_path).load()
        for video in (CUTS, f"{CUTS}#t=0,3")
    )
    assert part[0].metadata["source"] == whole[0].metadata["source"] == f"{CUTS}#t=0,3"
    assert {document.metadata["video"] for document in (*whole, *part)} == {CUTS}
    assert len({document.id for document in (*whole, *part)}) == len(whole) + len(part) == 4


def test_videos_come_one_at_a_time(tmp_path, write_video):
    path = write_video(tmp_path / "talk.mp4", 20)
    pictures = tmp_path / "pictures"
    loading = VideoLoader(str(path), "no-such-file.mp4", keyframe_folder=pictures).lazy_load()
    assert not pictures.exists()
    document = next(loading)
    assert document.metadata["source"] == f"{path}#t=0,0.8"
    with pytest.raises(SourceError, match="does not exist"):
        next(loading)


def test_pages_of_sites_are_cited_by_the_second(tmp_path, monkeypatch):
    page = "https://www.youtube.com/watch?v=abc&t=5"
    (segment,) = framesift.VideoCompressor().segments(f"{CUTS}#t=3,6", count=1)
    (frame,) = framesift.VideoCompressor().keyframes(CUTS, 1)
    told = Moment(segment=segment.model_copy(update={"uri": page}), keyframe=frame)
    loader = VideoLoader(CUTS, keyframe_folder=tmp_path)
    source = loader._document(CUTS, told, {}).metadata["source"]
    assert source == "https://www.youtube.com/watch?v=abc&t=3s"


def test_pictures_go_to_the_cache_folder_of_the_user_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (document,) = VideoLoader(CUTS).load()
    folder = Path(document.metadata["keyframe_path"]).parent
    assert folder == tmp_path / "framesift" / "keyframes"
    shutil.rmtree(folder)
    assert VideoLoader(CUTS).load() == [document]
    assert len(list(folder.iterdir())) == 1


def test_what_may_not_be_opened_is_refused(tmp_path):
    with pytest.raises(ForbiddenAddressError, match="leads to a private address; only public"):
        VideoLoader("http://127.0.0.1/talk.mp4", keyframe_folder=tmp_path).load()
    strangers = FetchLimits(allow_files=False)
    with pytest.raises(ForbiddenAddressError, match="names a file of this machine"):
        VideoLoader("/etc/passwd", limits=strangers, keyframe_folder=tmp_path).load()
    with pytest.raises(InvalidOptionError, match="seconds_each=0"):
        VideoLoader(CUTS, seconds_each=0, keyframe_folder=tmp_path).load()


@pytest.mark.parametrize("folder", [5, "", "a\0b", "~nosuchuser/pictures"])
def test_a_folder_that_cannot_be_one_is_told(folder):
    with pytest.raises(InvalidOptionError, match="keyframe_folder"):
        VideoLoader("talk.mp4", keyframe_folder=folder)
