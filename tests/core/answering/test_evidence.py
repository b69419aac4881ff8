import json

import pytest
import torch

from framesift.answering.evidence import find_segments
from framesift.hf.question import question_similarity
from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.plan import TokenPlan

PATCHES = 16
"""Of a grid of 4 x 4."""


def video(plan, *, uri="v.mp4", region=(0.0, 0.0, 1.0, 1.0), seconds_per_frame=2.0):
    frames = plan.num_in // PATCHES
    times = torch.arange(frames).double() * seconds_per_frame
    report = CompressionReport(
        uri=uri,
        duration_seconds=frames * seconds_per_frame,
        tokens_in=plan.num_in,
        tokens_out=plan.num_out,
        frames_in=frames,
        frames_encoded=frames,
        frames_out=frames,
        budget=plan.num_out,
        keep=1.0,
        strategy="uniform",
        encoder="handcrafted",
        decoder="pyav",
        fps=1.0,
        grid=(4, 4),
        region=region,
        tokens_per_frame_kept=plan.frame_counts().tolist(),
        seconds={},
    )
    frame = plan.src // PATCHES
    return CompressedVideo(
        tokens=torch.zeros(plan.num_out, 8),
        positions=torch.zeros(plan.num_out, 3),
        pts_seconds=plan.mean(times[frame][:, None]).flatten(),
        frame_seconds=times,
        plan=plan,
        report=report,
    )


def everything(frames):
    tokens = torch.arange(frames * PATCHES)
    return TokenPlan.keep(tokens, num_in=len(tokens), tokens_per_frame=PATCHES)


def weights_at(frames, cells):
    """Weights of all tokens of some frames, 0 but at `(frame, row, column): weight`."""
    weights = torch.zeros(frames, 4, 4)
    for place, weight in cells.items():
        weights[place] = weight
    return weights.flatten()


def test_neighbouring_frames_become_one_stretch_with_time_and_place():
    weights = weights_at(8, {(2, 1, 1): 3.0, (3, 1, 2): 4.0, (7, 0, 0): 2.0})
    first, second = find_segments([video(everything(8))], weights, "attention")
    assert (first.start_seconds, first.end_seconds, first.keyframe_seconds) == (4.0, 8.0, 6.0)
    assert first.score == pytest.approx(7 / 9)
    assert first.box == (0.5, 0.25, 0.75, 0.5)
    assert first.reason == "attended to by the answer: 78% of the weight"
    assert (second.start_seconds, second.end_seconds) == (14.0, 16.0)
    assert second.box == (0.0, 0.0, 0.25, 0.25)
    assert json.dumps([first.metadata(), second.metadata()])


def test_a_box_holds_half_of_the_weight_and_no_more():
    cells = {(0, 0, 0): 4.0, (0, 0, 1): 3.0, (0, 3, 3): 2.0}
    (found,) = find_segments([video(everything(1))], weights_at(1, cells), "attention")
    assert found.box == (0.0, 0.0, 0.5, 0.25)


def test_a_crop_and_a_padding_are_undone():
    weights = weights_at(1, {(0, 0, 0): 1.0})
    (cropped,) = find_segments(
        [video(everything(1), region=(0.25, 0.0, 0.75, 1.0))], weights, "attention"
    )
    assert cropped.box == (0.25, 0.0, 0.375, 0.25)
    (padded,) = find_segments(
        [video(everything(1), region=(0.0, -0.5, 1.0, 1.5))], weights, "attention"
    )
    assert padded.box == (0.0, 0.0, 0.25, 0.0)


def test_a_merged_token_points_to_all_that_it_came_from():
    group = torch.full((4 * PATCHES,), -1)
    group[[5, PATCHES + 6, 2 * PATCHES, 3 * PATCHES]] = torch.tensor([0, 0, 1, 2])
    plan = TokenPlan.merge(group, tokens_per_frame=PATCHES)
    first, second = find_segments([video(plan)], torch.tensor([4.0, 0.0, 3.0]), "similarity")
    assert (first.start_seconds, first.end_seconds) == (0.0, 4.0)
    assert first.score == pytest.approx(4 / 7)
    assert first.box == (0.25, 0.25, 0.5, 0.5)
    assert second.keyframe_seconds == 6.0


def test_at_most_count_and_the_heaviest_first():
    cells = {(2 * n, 0, 0): weight for n, weight in enumerate([4.0, 1.0, 5.0, 3.0, 2.0])}
    found = find_segments([video(everything(10))], weights_at(10, cells), "attention", count=3)
    assert [part.keyframe_seconds for part in found] == [8.0, 0.0, 12.0]
    (one,) = find_segments([video(everything(10))], weights_at(10, cells), "attention", count=1)
    assert one == found[0]


def test_what_is_below_the_average_is_not_named():
    weights = torch.full((6, PATCHES), 0.1)
    weights[4, 3] = 9.0
    (found,) = find_segments([video(everything(6))], weights.flatten(), "attention")
    assert found.keyframe_seconds == 8.0


def test_weights_that_are_all_zero_name_the_whole_video():
    (found,) = find_segments([video(everything(3))], torch.zeros(3 * PATCHES), "similarity")
    assert (found.start_seconds, found.end_seconds) == (0.0, 6.0)
    assert found.score == pytest.approx(1.0)


def test_several_videos_share_the_weight():
    plans = [everything(2), everything(3)]
    weights = torch.cat(
        [weights_at(2, {(1, 0, 0): 1.0}), weights_at(3, {(0, 3, 3): 2.0, (2, 0, 0): 0.1})]
    )
    found = find_segments(
        [video(plans[0], uri="a"), video(plans[1], uri="b")], weights, "attention"
    )
    assert [(part.uri, part.keyframe_seconds) for part in found] == [("b", 0.0), ("a", 2.0)]


def test_a_token_like_the_question_weighs_most():
    generator = torch.Generator().manual_seed(0)
    words = torch.randn(3, 32, generator=generator)
    common = torch.full((32,), 5.0)
    features = torch.randn(20, 32, generator=generator) + 9.0
    features[11] = 9.0 + words.mean(0) * 4
    weights = question_similarity(features, words + common, common)
    assert int(weights.argmax()) == 11
    (found,) = find_segments([video(everything(1))], weights[:PATCHES], "similarity")
    assert found.score == 1
    assert weights.dtype == torch.float32


def test_a_single_token_has_nothing_to_differ_from():
    weights = question_similarity(torch.ones(1, 8), torch.randn(2, 8), torch.zeros(8))
    (found,) = find_segments(
        [video(TokenPlan.keep(torch.tensor([6]), num_in=32, tokens_per_frame=PATCHES))],
        weights,
        "similarity",
    )
    assert (found.start_seconds, found.end_seconds) == (0.0, 2.0)
    assert found.box == (0.5, 0.25, 0.75, 0.5)


def test_videos_of_the_same_weight_are_all_named():
    videos = [video(everything(1), uri=uri) for uri in ("a", "b", "c")]
    for seed in range(20):
        weights = torch.rand(PATCHES, generator=torch.Generator().manual_seed(seed))
        found = find_segments(videos, weights.repeat(3), "similarity")
        assert [part.uri for part in found] == ["a", "b", "c"]
