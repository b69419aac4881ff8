from dataclasses import replace

import numpy as np
import pytest

from framesift.report.figures import frame_figures, nearest, segment_figures, shown_seconds
from framesift.strategies.base import create_strategy
from framesift.testing.samples import compressed, random_frames, random_tokens


def test_all_frames_are_shown_where_they_fit(sifted):
    video, frames, keys = sifted(frame_count=6)
    figures = frame_figures(video, frames, keys, limit=6, size_px=32)
    assert [figure.index for figure in figures] == list(range(6))
    assert [figure.kept for figure in figures] == [12, 1, 2, 0, 1, 2]
    assert [figure.is_keyframe for figure in figures] == [True, True] + [False] * 4
    assert {figure.image.size for figure in figures} == {(32, 18)}


def test_too_many_frames_are_thinned_evenly_around_the_keyframes(sifted):
    video, frames, keys = sifted(frame_count=101, keyframes=101)
    figures = frame_figures(video, frames, [keys[50], keys[51]], limit=12, size_px=32)
    shown = [figure.index for figure in figures]
    assert len(shown) == 12
    assert {0, 50, 51, 100} <= set(shown)
    others = [index for index in shown if index not in (50, 51)]
    assert max(np.diff(others)) <= 13
    assert min(np.diff(others)) >= 10


def test_more_keyframes_than_room_are_thinned_too(sifted):
    video, frames, keys = sifted(frame_count=20, keyframes=15)
    figures = frame_figures(video, frames, keys, limit=5, size_px=32)
    assert len(figures) == 5
    assert all(figure.is_keyframe for figure in figures)


def test_pictures_go_to_the_nearest_sampled_frame(sifted):
    video, frames, _ = sifted(frame_count=6)
    shifted = np.array([0.4, 0.1, 3.2])
    order = np.argsort(shifted)
    few = replace(frames[[0, 1, 2]], pts_seconds=shifted[order])
    figures = frame_figures(video, few, [], limit=9, size_px=64)
    assert [figure.index for figure in figures] == [0, 3]
    whole_frame_kept = np.asarray(figures[0].image)
    np.testing.assert_array_equal(whole_frame_kept, few.data[0])


def test_nearest_takes_the_earlier_on_a_tie():
    found = nearest(np.array([-5.0, 0.5, 0.6, 9.0]), np.array([0.0, 1.0, 2.0]))
    assert found.tolist() == [0, 0, 1, 2]


def test_no_pictures_are_refused(sifted):
    video, frames, keys = sifted()
    with pytest.raises(ValueError, match="at least one picture"):
        frame_figures(video, frames[:0], keys, limit=9, size_px=64)


def test_times_that_disagree_with_the_plan_are_refused(sifted):
    video, frames, keys = sifted()
    short = replace(video, frame_seconds=video.frame_seconds[:-1])
    with pytest.raises(ValueError, match="every frame of the plan needs one time"):
        frame_figures(short, frames, keys, limit=9, size_px=64)


def test_frames_are_grouped_by_their_segment(segmented):
    video, frames, keys = segmented(frame_count=9, length=4)
    figures = frame_figures(video, frames, keys, limit=9, size_px=32)
    assert [figure.segment for figure in figures] == [0] * 4 + [1] * 4 + [2]
    assert [figure.index for figure in figures if figure.is_in_detail] == [0, 4, 8]
    segments = segment_figures(video, figures)
    assert [len(each.figures) for each in segments] == [4, 4, 1]
    assert [each.tokens for each in segments] == video.report.segments


def test_without_segments_there_are_none(sifted):
    video, frames, keys = sifted()
    figures = frame_figures(video, frames, keys, limit=9, size_px=32)
    assert segment_figures(video, figures) is None
    assert {(figure.segment, figure.is_in_detail) for figure in figures} == {(None, False)}


def test_too_many_frames_are_thinned_by_whole_segments_and_those_of_keyframes_stay(segmented):
    video, frames, keys = segmented(frame_count=100, length=4, keyframes=100)
    figures = frame_figures(video, frames, [keys[50]], limit=22, size_px=32)
    shown = [figure.index for figure in figures]
    assert len(shown) == 20
    assert shown == [t for first in shown[::4] for t in range(first, first + 4)]
    assert {0, 50, 99} <= set(shown)
    assert shown_seconds(video, [50.0], limit=22) == [float(index) for index in shown]


def test_a_segment_that_is_too_long_keeps_its_key_frame(segmented):
    video, frames, _ = segmented(frame_count=30, length=10)
    figures = frame_figures(video, frames, [], limit=4, size_px=32)
    assert len(figures) == 4
    assert {figure.segment for figure in figures} == {0}
    assert figures[0].is_in_detail


def test_frames_that_no_token_stands_for_are_left_out(segmented):
    video, frames, keys = segmented(frame_count=8, length=4, left_out=2)
    figures = frame_figures(video, frames, keys, limit=9, size_px=32)
    assert [figure.index for figure in figures] == [0, 1, 3, 4, 5, 6, 7]


def test_the_seconds_shown_are_those_of_the_figures(sifted):
    video, frames, keys = sifted(frame_count=101, keyframes=101)
    figures = frame_figures(video, frames, [keys[50]], limit=12, size_px=32)
    shown = shown_seconds(video, [50.0], limit=12)
    assert shown == [figure.pts_seconds for figure in figures]
    assert shown_seconds(video, [], limit=200) == video.frame_seconds.tolist()


@pytest.mark.parametrize(
    ("spec", "together"),
    [
        ("slow-fast:include_key=true", [4, 3]),
        ("slow-fast:include_key=false", [3, 2]),
        ("slow-fast:layout=llava-video,segment=4", [3, 2]),
        ("slow-fast:layout=slowfast-llava,segment=4", [4, 3]),
        ("slow-fast:segment=6,remainder=repeat,key=informative,include_key=true", [6, 1]),
        ("slow-fast:segment=6,include_key=true", [6, 1]),
    ],
)
def test_temporal_tokens_stand_for_the_key_frame_only_where_they_hold_some_of_it(spec, together):
    strategy, tokens = create_strategy(spec), random_tokens(7, 6, 5)
    plan = strategy.rows(tokens, range(7)).plan
    video = compressed(tokens, plan)
    segments = strategy.segment_tokens(tokens, plan)
    video = replace(video, report=video.report.model_copy(update={"segments": segments}))
    figures = frame_figures(video, random_frames(7), [], limit=7, size_px=32)
    assert [each.together for each in segment_figures(video, figures)] == together
