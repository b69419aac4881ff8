import torch

from framesift import StreamingCompressor
from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def tokens_of(features, grid):
    frames = len(features)
    return VideoTokens(
        features=features, grid=grid, pts_seconds=torch.arange(frames, dtype=torch.float64)
    )


def directions(*degrees):
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()], -1).float()


def test_slow_drift_is_seen_because_the_last_kept_token_is_the_reference():
    drift = directions(0, 10, 20, 30, 40, 50, 60, 70)[:, None]
    plan = create_strategy("temporal:threshold=0.9").plan(tokens_of(drift, (1, 1)), budget=3)
    assert plan.src.tolist() == [0, 3, 6]


def test_the_threshold_is_solved_for_the_budget():
    drift = directions(0, 10, 20, 30, 40, 50, 60, 70)[:, None]
    plan = create_strategy("temporal").plan(tokens_of(drift, (1, 1)), budget=4)
    assert plan.src.tolist() == [0, 2, 4, 6]


def test_only_the_changed_place_is_kept_again():
    still = directions(0, 90, 180, 270).repeat(6, 1, 1)
    still[3:, 2] = directions(200)[0]
    plan = create_strategy("temporal").plan(tokens_of(still, (2, 2)), budget=5)
    assert plan.src.tolist() == [0, 1, 2, 3, 3 * 4 + 2]


def test_a_budget_below_one_frame_goes_to_what_is_novel():
    still = directions(0, 1, 2, 3).repeat(4, 1, 1)
    still[2, 1] = directions(90)[0]
    plan = create_strategy("temporal").plan(tokens_of(still, (2, 2)), budget=1)
    assert plan.src.tolist() == [2 * 4 + 1]


def test_ties_of_a_static_clip_go_to_the_earlier_token():
    plan = create_strategy("temporal").plan(tokens_of(torch.ones(5, 4, 3), (2, 2)), budget=7)
    assert plan.src.tolist() == list(range(7))


def test_similarities_on_the_edge_of_the_threshold_are_those_of_a_loop_over_frames():
    generator = torch.Generator().manual_seed(0)
    features = (torch.randn(200, 49, 32, generator=generator) * 2e-3).cumsum(0) + 1
    tokens = tokens_of(features, (7, 7))
    for threshold in (0.99999, 0.9999, 0.999):
        stream = StreamingCompressor(threshold=threshold)
        parts = [stream.push(frame, float(index)) for index, frame in enumerate(features)]
        kept = [49 * part.frame + patch for part in parts for patch in part.patches.tolist()]
        plan = create_strategy("temporal", threshold=threshold).plan(tokens, len(kept))
        assert plan.src.tolist() == kept
