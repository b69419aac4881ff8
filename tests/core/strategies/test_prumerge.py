import torch

from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens


def video(attention):
    frames, patches = attention.shape
    generator = torch.Generator().manual_seed(0)
    return VideoTokens(
        features=torch.randn(frames, patches, 6, generator=generator),
        grid=(1, patches),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(
            attention=attention, keys=torch.randn(frames, patches, 4, generator=generator)
        ),
    )


def row_of(plan, token):
    """Returns the weights of the output whose heaviest input is `token`."""
    entries = plan.dst == plan.sources.tolist().index(token)
    return dict(zip(plan.src[entries].tolist(), plan.weight[entries].tolist(), strict=True))


def test_peaked_frames_keep_more_than_flat_ones():
    flat = torch.linspace(0.1, 0.2, 10)
    peaked = flat.clone()
    peaked[:2] = torch.tensor([7.0, 8.0])
    plan = create_strategy("prumerge:neighbors=0").plan(video(torch.stack([flat, peaked])), 4)
    assert torch.bincount(plan.sources // 10).tolist() == [1, 3]


def test_a_budget_below_one_token_per_frame_has_no_sums():
    attention = torch.full((4, 5), 0.01)
    attention[2, 3], attention[1, 0] = 0.5, 0.4
    plan = create_strategy("prumerge:neighbors=2").plan(video(attention), 2)
    assert sorted(plan.sources.tolist()) == [5, 13]
    assert torch.bincount(plan.dst).tolist() == [3, 3]


def test_neighbours_weigh_what_they_are_attended_to_and_kept_tokens_one():
    attention = torch.tensor([[0.3, 0.02, 0.01, 0.04]])
    plan = create_strategy("prumerge").plan(video(attention), 2)
    row = row_of(plan, 0)
    assert row == {0: 1.0, **{i: float(attention[0, i].double()) for i in (1, 2, 3)}}
    assert row_of(plan, 3) == {i: row[i] for i in (1, 2, 3)}


def test_dropped_tokens_without_attention_count_alike():
    attention = torch.zeros(1, 5)
    attention[0, 2] = 1.0
    plan = create_strategy("prumerge:neighbors=0").plan(video(attention), 2)
    assert row_of(plan, 0) == {0: 0.25, 1: 0.25, 3: 0.25, 4: 0.25}


def test_uniform_samples_come_before_outliers():
    attention = torch.zeros(1, 9)
    attention[0, 0] = 1.0
    plan = create_strategy("prumerge:neighbors=0,uniform=1").plan(video(attention), 4)
    kept = [token for token in plan.sources.tolist() if row_of(plan, token) == {token: 1.0}]
    assert kept == [1, 3, 5]
