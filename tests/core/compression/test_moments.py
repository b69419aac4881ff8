"""Stretches that cover a video come with the pictures that stand for them."""

import pytest

from framesift import VideoCompressor, open_video
from framesift.errors import InvalidOptionError


@pytest.fixture(scope="module")
def cuts():
    with open_video("synthetic://cuts?seconds=9&seed=2") as video:
        yield video


def test_moments_are_the_segments_with_their_keyframes(cuts):
    moments = VideoCompressor().moments(cuts, count=3)
    assert [moment.segment for moment in moments] == VideoCompressor().segments(cuts, count=3)
    for moment, frame in zip(moments, VideoCompressor().keyframes(cuts, 3), strict=True):
        assert moment.keyframe.pts_seconds == frame.pts_seconds
        assert moment.keyframe.image.tobytes() == frame.image.tobytes()


@pytest.mark.parametrize(("seconds", "count"), [(15, 1), (3, 3), (1, 9), (1e9, 1)])
def test_how_many_there_are_follows_from_the_seconds_of_each(cuts, seconds, count):
    assert len(VideoCompressor().moments(cuts, seconds_each=seconds)) == count


def test_pictures_are_scaled_down_and_never_up(cuts):
    for side, size in ((64, (64, 36)), (9999, (640, 360))):
        (moment,) = VideoCompressor().moments(cuts, count=1, max_side_px=side)
        assert moment.keyframe.image.size == size


def test_scenes_are_told_apart_by_their_colors(cuts):
    named = [set(part.colors) for part in VideoCompressor().segments(cuts, count=3)]
    assert any(named)
    assert len(set(map(frozenset, named))) == 3


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_seconds_are_refused(cuts, seconds):
    with pytest.raises(InvalidOptionError, match="seconds_each"):
        VideoCompressor().moments(cuts, seconds_each=seconds)
