"""The last picture stays as long as there is something to hear or to read."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from framesift import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.sources.base import open_video
from framesift.types.video import LocalVideo, TimedText


@pytest.fixture
def talk(tmp_path, write_video) -> LocalVideo:
    """Two seconds of pictures, then eight in which only the sound goes on."""
    return open_video(write_video(tmp_path / "talk.mp4", 50, audio_seconds=10))


def line(start: float, end: float, text: str) -> TimedText:
    return TimedText(start_seconds=start, end_seconds=end, text=text)


def test_a_part_after_the_last_frame_shows_it(talk, numbers_in):
    sift = VideoCompressor()
    frames = sift.frames(replace(talk, part_seconds=(6.0, 8.0)))
    assert numbers_in(frames.data) == [49]
    (moment,) = sift.moments(replace(talk, part_seconds=(6.0, 8.0)))
    assert (moment.segment.start_seconds, moment.segment.end_seconds) == (6, 8)
    assert numbers_in(np.asarray(moment.keyframe.image)[None]) == [49]
    assert sift.compress(replace(talk, part_seconds=(6.0, 8.0))).report.frames_in == 1


def test_captions_after_the_last_frame_belong_to_it(talk):
    captions = (line(0, 1, "first"), line(6, 8, "then"), line(9.9, 10, "at last"))
    segments = VideoCompressor().segments(replace(talk, subtitles=captions), count=2)
    assert " ".join(part.text for part in segments).split() == ["first", "then", "at", "last"]
    assert segments[-1].end_seconds == pytest.approx(10, abs=0.1)
    part = replace(talk, subtitles=captions, part_seconds=(5.0, 9.0))
    assert [part.text for part in VideoCompressor().segments(part)] == ["then"]


def test_a_chapter_after_the_last_frame_is_that_of_its_part(talk):
    chapters = (line(0, 5, "Opening"), line(5, 10, "Close"))
    (part,) = VideoCompressor().segments(replace(talk, chapters=chapters, part_seconds=(6.0, 8.0)))
    assert part.chapter == "Close"


def test_the_source_may_know_of_a_later_end(talk):
    longer = replace(talk, duration_seconds=60.0)
    assert VideoCompressor().segments(longer)[-1].end_seconds == 60
    assert len(VideoCompressor().frames(replace(longer, part_seconds=(50.0, 55.0)))) == 1
    with pytest.raises(InvalidOptionError, match="holds nothing"):
        VideoCompressor().frames(replace(longer, part_seconds=(61.0, 65.0)))


def test_the_last_line_may_end_last(talk):
    late = replace(talk, subtitles=(line(20, 30, "the end"),))
    segments = VideoCompressor().segments(late)
    assert segments[-1].end_seconds == 30
    assert segments[-1].text.endswith("the end")


def test_a_line_that_claims_to_stay_for_ever_does_not(talk):
    forever = replace(talk, subtitles=(line(5, 360_000, "the end"),))
    segments = VideoCompressor().segments(forever)
    assert segments[-1].end_seconds == 605
    assert "the end" in " ".join(part.text for part in segments)


def test_captions_before_the_first_frame_belong_to_it(tmp_path, write_video):
    times = [Fraction(5) + Fraction(n, 25) for n in range(25)]
    path = write_video(tmp_path / "late.mp4", 25, times=times, audio_seconds=6)
    local = replace(open_video(path), subtitles=(line(1, 3, "before"), line(5, 6, "during")))
    assert " ".join(part.text for part in VideoCompressor().segments(local)) == "before during"


def test_one_picture_with_sound_is_shown_all_the_time(tmp_path, write_video, numbers_in):
    path = write_video(tmp_path / "still.mp4", 1, audio_seconds=8)
    sift = VideoCompressor()
    assert numbers_in(sift.frames(f"{path}#t=3,5").data) == [0]
    assert sift.compress(path).report.duration_seconds == pytest.approx(8, abs=0.1)


def test_a_joined_file_says_so_in_every_result(tmp_path, write_video):
    part = write_video(tmp_path / "part.ts", 40)
    path = tmp_path / "joined.ts"
    path.write_bytes(part.read_bytes() * 2)
    sift, lines = VideoCompressor(), []
    report = sift.compress(path).report
    assert report.duration_seconds == pytest.approx(3.2, abs=0.01)
    sift.keyframes(path, 2, warn=lines.append)
    assert [line.count("jumps once") for line in (*report.warnings, *lines)] == [1, 1]


def test_segments_have_the_facts_of_their_video_and_chapter(talk):
    chapters = (line(0, 0.7, "Start"), line(0.7, 10, ""))
    facts = {"title": "A talk", "uploader": "A. B.", "date": "2026-11-02", "description": "About."}
    first, last = VideoCompressor().segments(replace(talk, chapters=chapters, **facts), count=2)
    assert (first.chapter, last.chapter) == ("Start", None)
    for segment in (first, last):
        assert segment.metadata().items() >= facts.items()
    assert first.caption().startswith("A talk, Start, 00:00")
