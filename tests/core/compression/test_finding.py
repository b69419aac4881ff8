"""Moments of a video that a query points at."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.sections import finding
from framesift.compression.compressor import VideoCompressor
from framesift.errors import BudgetError, InvalidOptionError
from framesift.serving.assistant import Assistant
from framesift.sources.base import open_video

CLIP = "synthetic://number?seed=3"
QUERY = "What number flashes?"


@pytest.fixture(scope="module")
def sift():
    return VideoCompressor(vlm="tiny")


@pytest.fixture(scope="module")
def clip():
    with open_video(CLIP) as video:
        yield video


def test_the_first_moment_is_where_it_happens(sift, clip):
    event = clip.truth["events"][0]
    best = sift.find(clip, QUERY)[0]
    assert best.segment.start_seconds <= event["start_seconds"]
    assert best.segment.end_seconds >= event["end_seconds"]
    assert best.keyframe.pts_seconds == pytest.approx(best.segment.keyframe_seconds, abs=1e-3)
    assert best.metadata()["score"] == best.keyframe.score


def test_moments_are_the_evidence_of_the_answer(sift, clip):
    for evidence in ("auto", "attention", "similarity"):
        found = sift.find(clip, QUERY, evidence=evidence)
        answer = sift.ask(clip, QUERY, evidence=evidence)
        assert [part.segment for part in found] == answer.evidence


def test_the_picture_is_the_frame_shown_then_at_the_size_asked(sift, clip):
    best = sift.find(clip, QUERY, 1)[0]
    frame = sift.frames(clip, [best.keyframe.pts_seconds]).data[0]
    assert np.array_equal(np.asarray(best.keyframe.image), frame)
    small = sift.find(clip, QUERY, 1, max_side_px=96)[0]
    assert max(small.keyframe.image.size) == 96


def test_at_most_as_many_come_as_were_asked(sift, clip):
    every = sift.find(clip, QUERY, 8, evidence="similarity")
    scores = [part.segment.score for part in every]
    assert scores == sorted(scores, reverse=True)
    assert len(sift.find(clip, QUERY, 1, evidence="similarity")) == 1
    assert len(every) > 1


def test_nothing_is_returned_and_said_where_nothing_is_like_the_query(sift, clip):
    for evidence, query in (("attention", "a red star"), ("similarity", "a bicycle on the road")):
        notes = []
        assert sift.find(clip, query, evidence=evidence, warn=notes.append) == []
        assert notes == [f"nothing in {CLIP!r} is like {query!r}"]
        with sift.open(clip) as chat:
            assert chat.find(query, evidence=evidence) == []
            assert chat.find(QUERY, evidence=evidence) != []
            assert chat.find(query, evidence=evidence) == []
            assert chat.ask(QUERY).text == "44"
        helper = Assistant(sift)
        assert helper.find(clip, query, evidence=evidence, warn=notes.append) == []
        assert notes[0] == notes[1]


@pytest.mark.parametrize("video", ["synthetic://static?seconds=1", "synthetic://static?seconds=6"])
def test_a_video_in_which_nothing_happens_has_nothing(sift, video):
    assert sift.find(video, QUERY) == []


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_plain_picture_has_nothing(sift, level):
    assert sift.find(Image.new("RGB", (64, 48), (level,) * 3), QUERY) == []


@pytest.mark.parametrize("frames", [1, 3])
def test_what_a_few_frames_show_is_found_in_them(sift, frames):
    (best, *_) = sift.find(f"{CLIP}#t={4 - frames},4", QUERY)
    assert best.segment.start_seconds == 3.0
    assert sift.find(f"{CLIP}#t=0,{frames}", QUERY) == []


@pytest.mark.slow
def test_what_is_there_is_found_more_often_than_what_is_not():
    rows = finding.results("test", 12)["rows"]
    share = {(row["video"], row["name"]): row["share"] for row in rows}
    assert share["present", "attention"] >= 0.8
    assert share["absent", "attention"] <= 0.45
    assert share["foreign", "attention"] <= 0.7
    assert share["right time", "attention"] >= 0.6
    assert share["present", "similarity"] >= 0.65
    assert share["foreign", "similarity"] <= 0.4


def test_bad_input_is_refused_before_anything_is_fetched(sift):
    with pytest.raises(BudgetError, match="count=0"):
        sift.find("nowhere.mp4", QUERY, 0)
    with pytest.raises(InvalidOptionError, match="empty"):
        sift.find("nowhere.mp4", " ")
    with pytest.raises(InvalidOptionError, match="no vlm"):
        VideoCompressor().find(CLIP, QUERY)
