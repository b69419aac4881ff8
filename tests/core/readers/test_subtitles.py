"""Lines that come with a video reach its transcript, segments and selectors by one way."""

import pytest

from framesift import LocalVideo, TimedText, VideoCompressor
from framesift.errors import InvalidOptionError, UnknownNameError

TALK = "synthetic://events?seed=1"


def test_the_transcript_has_the_subtitles_with_their_source():
    transcript = VideoCompressor().transcript(TALK)
    assert [line.text for line in transcript.lines][:1] == ["A yellow star rises up."]
    assert {line.source for line in transcript.lines} == {"subtitles"}
    assert transcript.duration_seconds == 8
    assert [each.reader for each in transcript.readings] == ["subtitles"]


def test_without_readers_segments_have_no_text():
    sift = VideoCompressor(text=())
    assert sift.transcript(TALK).lines == ()
    assert {segment.text for segment in sift.segments(TALK)} == {""}
    assert any(segment.text for segment in VideoCompressor().segments(TALK))


def test_a_video_opened_for_its_text_alone_has_a_transcript():
    said = TimedText(start_seconds=1.0, end_seconds=2.0, text="hello")
    video = LocalVideo(path=None, uri="https://example.org/1", subtitles=(said,))
    assert VideoCompressor().transcript(video).lines == (said,)


def test_wrong_readers_are_refused_before_any_work():
    with pytest.raises(UnknownNameError, match="did you mean 'subtitles'"):
        VideoCompressor(text="subtitels")
    with pytest.raises(InvalidOptionError, match="names a reader twice"):
        VideoCompressor(text=("subtitles", "subtitles"))
    with pytest.raises(InvalidOptionError, match="reader=3 must be the name of one"):
        VideoCompressor(text=3)
