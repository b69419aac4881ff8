"""Videos become documents that an index can hold, cite and bring up to date."""

import base64
import json
import pickle
import shutil
from pathlib import Path

import pytest

pytest.importorskip("langchain_core")

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, convert_to_openai_messages
from PIL import Image

import framesift
from framesift import FetchLimits, Moment
from framesift.errors import ForbiddenAddressError, InvalidOptionError, SourceError
from framesift.readers.base import Reading
from framesift.readers.subtitles import Subtitles
from langchain_framesift import VideoLoader, image_blocks

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
    source = loader.document(CUTS, told).metadata["source"]
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
        VideoLoader(CUTS, seconds_each=0, keyframe_folder=tmp_path)


@pytest.mark.parametrize("folder", [5, "", "a\0b", "~nosuchuser/pictures"])
def test_a_folder_that_cannot_be_one_is_told(folder):
    with pytest.raises(InvalidOptionError, match="keyframe_folder"):
        VideoLoader("talk.mp4", keyframe_folder=folder)


@pytest.fixture
def folder(tmp_path, write_video):
    """A folder of two videos, one of them in a folder within it, and three files that are none."""
    videos = tmp_path / "talks"
    (videos / "older").mkdir(parents=True)
    write_video(videos / "b.mp4", 20)
    write_video(videos / "older" / "c.mp4", 20)
    (videos / "a.mp4").write_bytes(b"not a video")
    (videos / "empty.mkv").write_bytes(b"")
    (videos / "notes.txt").write_text("Nothing to see.")
    return videos


@pytest.mark.parametrize("given", [str, Path])
def test_a_folder_is_read_to_its_end_whatever_lies_in_it(folder, tmp_path, given):
    loader = VideoLoader(given(folder), keyframe_folder=tmp_path / "pictures")
    documents = loader.load()
    read = [each for each in documents if "problem" not in each.metadata]
    problems = [each for each in documents if "problem" in each.metadata]
    assert [Path(each.metadata["video"]).name for each in read] == ["b.mp4", "c.mp4"]
    assert [Path(each.metadata["source"]).name for each in problems] == ["a.mp4", "empty.mkv"]
    for each in problems:
        reason = each.metadata["problem"]
        assert reason in each.page_content
        assert reason
        assert "\n" not in reason
    assert len({each.id for each in documents}) == len(documents)
    assert json.loads(json.dumps([each.metadata for each in documents]))


def test_a_path_of_ones_own_may_be_a_folder_where_text_may_name_no_files(folder, tmp_path):
    strangers = FetchLimits.untrusted()
    options = {"limits": strangers, "keyframe_folder": tmp_path / "pictures"}
    assert len(VideoLoader(folder, **options).load()) == 4
    with pytest.raises(ForbiddenAddressError, match="names a file of this machine"):
        VideoLoader(str(folder), **options).load()


def test_of_several_videos_those_that_cannot_be_read_say_why(tmp_path):
    named = [CUTS, "no-such-file.mp4", "https://user:secret@127.0.0.1/talk.mp4"]
    options = {"keyframe_folder": tmp_path}
    with pytest.raises(SourceError, match="does not exist"):
        VideoLoader(*named, **options).load()
    documents = VideoLoader(named, continue_on_error=True, **options).load()
    first, missing, private = documents
    assert first.metadata["video"] == CUTS
    assert "does not exist" in missing.metadata["problem"]
    assert "user name or password" in private.metadata["problem"]
    assert "secret" not in json.dumps([each.metadata for each in documents])


def test_a_playlist_is_read_as_far_as_asked_and_leaves_out_what_cannot_be_read(
    tmp_path, monkeypatch
):
    page = "https://www.youtube.com/playlist?list=PL1"
    asked = []

    def listed(where, limits, *, site, most):
        asked.append((where, site.language, most))
        gone = framesift.ListedVideo(uri="https://youtu.be/gone", problem="it is private")
        return framesift.VideoList(videos=(framesift.ListedVideo(uri=CUTS), gone))

    monkeypatch.setattr("langchain_framesift.loader.list_videos", listed)
    site = framesift.SiteOptions(language="de,en")
    loader = VideoLoader(page, most=2, site=site, keyframe_folder=tmp_path)
    video, gone = loader.load()
    assert asked == [(page, ("de", "en"), 2)]
    assert video.metadata["video"] == CUTS
    assert gone.metadata == {
        "source": "https://youtu.be/gone",
        "video": "https://youtu.be/gone",
        "problem": "it is private",
    }


def test_metadata_say_who_published_a_video_and_when(tmp_path):
    known = {
        "title": "Cuts",
        "chapter": "One",
        "uploader": "Ann",
        "date": "2026-01-02",
        "description": "Colours.",
    }
    (segment,) = framesift.VideoCompressor().segments(f"{CUTS}#t=3,6", count=1)
    (frame,) = framesift.VideoCompressor().keyframes(CUTS, 1)
    told = Moment(segment=segment.model_copy(update=known), keyframe=frame)
    loader = VideoLoader(CUTS, keyframe_folder=tmp_path)
    assert known.items() <= loader.document(CUTS, told).metadata.items()
    plain = segment.model_copy(update=dict.fromkeys(known))
    bare = loader.document(CUTS, Moment(segment=plain, keyframe=frame)).metadata
    assert not known.keys() & bare.keys()


@pytest.mark.parametrize(
    ("given", "options", "line"),
    [
        ((b"bytes",), {}, "a bytes is not a video; give paths, links or folders"),
        ((5,), {}, "a int is not a video"),
        (("a.mp4",), {"second_each": 3}, "VideoLoader has no option 'second_each'; did you mean"),
        (("a.mp4",), {"selector": "nope"}, "unknown selector 'nope'"),
        (("a.mp4",), {"text": "scren"}, "did you mean 'screen'"),
        (("a.mp4",), {"fps": 0}, "^fps=0 must be a number"),
        ((), {"videos": ["a.mp4"]}, "takes videos without a name"),
    ],
)
def test_what_is_wrong_is_told_when_the_loader_is_made(given, options, line):
    with pytest.raises(framesift.FramesiftError, match=line) as refused:
        VideoLoader(*given, **options)
    assert "\n" not in str(refused.value)


def test_a_loader_can_be_pickled(tmp_path):
    loader = VideoLoader(CUTS, seconds_each=3, keyframe_folder=tmp_path)
    assert pickle.loads(pickle.dumps(loader)).load() == loader.load()


def test_documents_become_blocks_that_a_chat_model_is_shown(tmp_path):
    documents = VideoLoader(CUTS, seconds_each=3, keyframe_folder=tmp_path).load()
    blocks = image_blocks([*documents, Document("Only text.")], most=2)
    assert [block["type"] for block in blocks] == ["text", "image", "text", "image", "text", "text"]
    assert [each["text"] for each in blocks if each["type"] == "text"] == [
        *(document.page_content for document in documents),
        "Only text.",
    ]
    picture = Path(documents[0].metadata["keyframe_path"]).read_bytes()
    assert base64.b64decode(blocks[1]["base64"]) == picture
    sent = convert_to_openai_messages([HumanMessage(blocks)])[0]["content"]
    assert [part["type"] for part in sent].count("image_url") == 2


@pytest.mark.parametrize("path", ["/etc/hostname", "/no/such/picture.jpg", 5, "a\0b"])
def test_metadata_of_an_index_may_not_name_any_file(path):
    with pytest.raises(InvalidOptionError, match=r"^keyframe_path=.*load the video again"):
        image_blocks([Document("A video.", metadata={"keyframe_path": path})])
