import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framesift.decoders.base import FrameIndex
from framesift.decoders.sampling import TOLERANCE_SECONDS, at_fps, at_times
from framesift.errors import InvalidOptionError
from framesift.types.video import VideoInfo


def index_of(pts_seconds, last_seconds: float = 0.04) -> FrameIndex:
    pts = np.array(pts_seconds, dtype=np.float64)
    info = VideoInfo(
        width_px=2,
        height_px=2,
        duration_seconds=float(pts[-1] - pts[0] + last_seconds),
        start_seconds=float(pts[0]),
        frame_count=len(pts),
        average_fps=25.0,
        codec="h264",
    )
    return FrameIndex(info=info, pts_seconds=pts)


def test_one_frame_per_second_of_a_steady_video():
    assert at_fps(index_of(np.arange(100) / 25), 1.0) == [0, 25, 50, 75]


def test_sampling_counts_from_the_first_frame_of_a_late_stream():
    assert at_fps(index_of(np.arange(100) / 25 + 0.5), 1.0) == [0, 25, 50, 75]


def test_a_frame_that_is_shown_long_is_given_once():
    assert at_fps(index_of([0, 0.5, 5.2, 5.6, 6.2]), 1.0) == [0, 1, 3]


@pytest.mark.parametrize("fps", [29.97, 30, 31, 1e9])
def test_native_rate_or_more_gives_each_frame_once(fps):
    in_milliseconds = np.round(np.arange(90) / 29.97, 3)
    assert at_fps(index_of(in_milliseconds, last_seconds=0.033), fps) == list(range(90))


@pytest.mark.parametrize("last_seconds", [0.0, 0.04])
def test_a_single_frame_is_always_given(last_seconds):
    assert at_fps(index_of([0.0], last_seconds), 0.001) == [0]


@given(
    gaps=st.lists(st.floats(0.01, 3), min_size=1, max_size=40),
    fps=st.floats(0.05, 60),
)
def test_sampling_by_rate_is_sampling_at_its_times(gaps, fps):
    index = index_of(np.cumsum(gaps))
    times = [
        index.info.start_seconds + number / fps
        for number in range(1 + int(index.info.duration_seconds * fps))
    ]
    inside = [t for t in times if t < index.pts_seconds[-1] + 0.04 - TOLERANCE_SECONDS]
    assert at_fps(index, fps) == sorted(set(at_times(index, inside)))


@pytest.mark.parametrize("fps", [0, -1, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(fps):
    with pytest.raises(InvalidOptionError, match=f"fps={fps}"):
        at_fps(index_of([0.0]), fps)


def test_the_frame_shown_is_the_last_one_that_began():
    index = index_of([0.5, 1.0, 2.0])
    assert at_times(index, [0, 0.5, 0.99, 1, 1.5, 2, 99]) == [0, 0, 0, 1, 1, 2, 2]


def test_no_times_give_no_frames():
    assert at_times(index_of([0.0]), []) == []


@pytest.mark.parametrize("times", [[-1], [math.nan], [math.inf], [2, 1]])
def test_times_that_are_none_are_refused(times):
    with pytest.raises(InvalidOptionError, match="times_seconds"):
        at_times(index_of([0.0]), times)
