"""Words are looked for before pictures, and what is found comes with its picture."""

import sys
from dataclasses import replace

import pytest

from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.serving.assistant import Assistant
from framesift.sources.base import open_video
from framesift.types.video import TimedText

CLIP = "synthetic://number?seed=3"
LINES = (
    TimedText(start_seconds=0.0, end_seconds=2.0, text="today we look at a red boxing glove"),
    TimedText(
        start_seconds=3.0,
        end_seconds=5.0,
        text="Does the flag appear in the video?",
        box=(0.1, 0.5, 0.9, 0.55),
    ),
)


@pytest.fixture(scope="module")
def clip():
    with open_video(CLIP) as video:
        yield replace(video, subtitles=LINES, title="A page")


@pytest.fixture(scope="module")
def seeing():
    return VideoCompressor(vlm="tiny")


def test_what_is_said_or_shown_is_found_without_a_model(clip):
    (spoken,) = VideoCompressor().find(clip, "the boxing glove")
    (shown,) = VideoCompressor().find(clip, "Where is the flag?", max_side_px=96)
    assert spoken.segment.text == LINES[0].text
    assert spoken.segment.screen_text == ""
    assert (shown.segment.text, shown.segment.screen_text) == ("", LINES[1].text)
    assert (shown.segment.start_seconds, shown.segment.end_seconds) == (3.0, 5.0)
    assert shown.segment.reason == "the text has 'flag' of the query"
    assert shown.segment.title == "A page"
    assert shown.keyframe.pts_seconds == 3.5
    assert max(shown.keyframe.image.size) == 96


def test_words_come_before_pictures_and_pictures_where_words_have_nothing(clip, seeing):
    notes = []
    assert seeing.find(clip, "the boxing glove")[0].segment.reason.startswith("the text has")
    number = seeing.find(clip, "What number flashes?", warn=notes.append)
    assert number[0].segment.reason.startswith("attended to")
    assert notes == []
    assert seeing.find_text(clip, "What number flashes?") == []


def test_a_kind_of_evidence_looks_at_the_pictures_alone(clip, seeing):
    for moment in seeing.find(clip, "the flag", evidence="attention"):
        assert not moment.segment.reason.startswith("the text")


def test_where_neither_has_it_nothing_is_found_and_a_warning_says_so(clip, seeing):
    for sift in (VideoCompressor(), seeing):
        notes = []
        assert sift.find(clip, "a purple dog", warn=notes.append) == []
        assert notes == [f"nothing in {CLIP!r} is like 'a purple dog'"]


def test_an_assistant_finds_the_same(clip, seeing):
    helper, notes = Assistant(seeing), []
    for query in ("the boxing glove", "What number flashes?"):
        found = helper.find(clip, query, warn=notes.append)
        assert [moment.segment for moment in found] == [
            moment.segment for moment in seeing.find(clip, query)
        ]
    assert notes == []


def test_text_outside_of_the_part_is_not_found(clip):
    part = replace(clip, part_seconds=(2.5, 6.0))
    assert VideoCompressor().find(part, "glove") == []
    (moment,) = VideoCompressor().find(replace(clip, part_seconds=(3.5, 4.5)), "flag")
    assert (moment.segment.start_seconds, moment.segment.end_seconds) == (3.5, 4.5)


def test_a_video_without_text_or_a_model_says_what_to_pass():
    with pytest.raises(InvalidOptionError, match=r"no text that subtitles finds.*text='screen'"):
        VideoCompressor().find(CLIP, "glove")
    with pytest.raises(InvalidOptionError, match="no vlm"):
        VideoCompressor(text=()).find("nowhere.mp4", "glove")


def test_without_a_word_search_pictures_are_looked_at(clip, seeing, monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    notes = []
    assert seeing.find(clip, "What number flashes?", warn=notes.append) != []
    assert len(notes) == 1
    assert "pictures alone were searched" in notes[0]


def test_the_text_of_a_compressed_video_is_found_while_its_file_is_there(tmp_path, seeing):
    with open_video(CLIP) as video:
        path = tmp_path / "clip.mp4"
        path.write_bytes(video.path.read_bytes())
    path.with_suffix(".srt").write_text("1\n00:00:00,500 --> 00:00:02,000\na boxing glove\n")
    compressed = seeing.compress(path)
    assert seeing.find(compressed, "the boxing glove")[0].segment.text == "a boxing glove"
    path.unlink()
    assert seeing.find(compressed, "What number flashes?")[0].keyframe is None
    notes = []
    read = replace(seeing, text=("subtitles", "screen"))
    assert read.find(compressed, "What number flashes?", warn=notes.append)[0].keyframe is None
    assert any("pictures alone were searched" in line for line in notes)


@pytest.mark.parametrize("embedding", ["", " ", 3])
def test_an_embedding_model_without_a_name_is_refused_before_anything_is_read(clip, embedding):
    sift = VideoCompressor()
    for find in (sift.find, sift.find_text):
        with pytest.raises(InvalidOptionError, match="names no text encoder"):
            find(clip, "glove", embedding=embedding)
