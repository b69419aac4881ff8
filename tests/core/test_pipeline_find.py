"""Moments of a video that a query points at."""

import numpy as np
import pytest

from framesift.errors import BudgetError, InvalidOptionError
from framesift.pipeline import VideoCompressor
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
    for evidence in ("attention", "similarity"):
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


def test_bad_input_is_refused_before_anything_is_fetched(sift):
    with pytest.raises(BudgetError, match="count=0"):
        sift.find("nowhere.mp4", QUERY, 0)
    with pytest.raises(InvalidOptionError, match="empty"):
        sift.find("nowhere.mp4", " ")
    with pytest.raises(InvalidOptionError, match="no vlm"):
        VideoCompressor().find(CLIP, QUERY)
