import pytest
import torch

import framesift
from benchmarks.process import in_fresh_process
from benchmarks.sections.scissor import memory_run
from framesift.errors import InvalidOptionError
from framesift.strategies import _linkage, _similarities
from framesift.strategies import scissor as module
from framesift.strategies.base import create_strategy
from framesift.strategies.scissor import Scissor
from framesift.types.tokens import VideoTokens


def tokens_of(features, grid=None, mask=None):
    return VideoTokens(
        features=features,
        grid=grid or (1, features.shape[1]),
        pts_seconds=torch.arange(len(features), dtype=torch.float64),
        mask=mask,
    )


def directions(*degrees):
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()], -1).float()


def noise(frames, patches, channels=16, seed=0):
    return torch.randn(frames, patches, channels, generator=torch.Generator().manual_seed(seed))


def same(first, second):
    return all(
        torch.equal(getattr(first, name), getattr(second, name))
        for name in ("dst", "src", "weight")
    )


def test_two_frames_merge_in_each_frame_then_over_time_then_once_more():
    frames = directions(0, 5, 90, 2, 100, 180).view(2, 3, 2)
    plan = Scissor(threshold=0.98).plan(tokens_of(frames), 3)
    assert plan.dst.tolist() == [0, 0, 0, 1, 1, 2]
    assert plan.src.tolist() == [0, 1, 3, 2, 4, 5]
    # 0 and 5 degrees are one of two parts of their mean, 2 degrees is the other one.
    expected = [(1 / 4 + 1) / 4, (1 / 4 + 1) / 4, (1 / 2 + 1) / 4, 1 / 2, 1 / 2, 1.0]
    assert plan.weight.tolist() == pytest.approx(expected)


def test_a_similarity_equal_to_the_threshold_does_not_connect():
    pair = tokens_of(torch.tensor([[[1.0, 0.0]], [[0.8, 0.6]]]))
    assert Scissor().two_step_count(pair, 0.8) == 2
    assert Scissor().two_step_count(pair, 0.7999) == 1


def test_a_chain_of_small_steps_is_one_component():
    drift = tokens_of(directions(*range(0, 180, 10))[:, None])
    assert Scissor().two_step_count(drift, 0.98) == 1
    assert Scissor().two_step_count(drift, 0.99) == 18


def test_where_frames_alone_fall_below_the_budget_they_are_cut_at_it():
    frames = directions(0, 1, 90, 91, 0, 1, 90, 91).view(2, 4, 2)
    plan = Scissor(threshold=-1.0).plan(tokens_of(frames), 6)
    rows = sorted(plan.src[plan.dst == row].tolist() for row in range(6))
    # Of four equal links the two earliest are made; then every token joins its likeness.
    assert rows == [[0, 1], [0, 4], [1, 5], [2, 3], [2, 6], [3, 7]]


def test_ties_of_a_static_clip_go_to_the_earlier_tokens():
    plan = create_strategy("scissor").plan(tokens_of(torch.ones(3, 4, 5)), 4)
    assert plan.src[plan.dst == 3].tolist() == [11]
    merged = plan.src[plan.dst == plan.dst[plan.src == 0][0]]
    assert set(range(9)) <= set(merged.tolist())


def test_zero_vectors_are_like_each_other_and_nothing_else():
    features = noise(2, 3)
    features[0, 1] = features[1, 2] = 0
    # The nearest of the others are less alike than two zero vectors.
    plan = create_strategy("scissor").plan(tokens_of(features), 5)
    assert [1, 5] in [plan.src[plan.dst == row].tolist() for row in range(5)]


def test_masked_tokens_have_no_influence():
    features, mask = noise(5, 4), torch.ones(5, 4, dtype=torch.bool)
    mask[1:4, 2] = False
    other = features.clone()
    other[1:4, 2] = 7.0
    plans = [create_strategy("scissor").plan(tokens_of(f, mask=mask), 8) for f in (features, other)]
    assert same(*plans)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_the_order_of_channels_changes_nothing(dtype):
    features = noise(9, 16, 96).to(dtype)
    order = torch.randperm(96, generator=torch.Generator().manual_seed(5))
    for budget in (10, 40, 110):
        plans = [
            create_strategy("scissor").plan(tokens_of(f), budget)
            for f in (features, features[..., order])
        ]
        assert same(*plans)


def test_rows_made_anew_give_the_plan_of_the_kept_matrix(monkeypatch):
    tokens = tokens_of(noise(12, 9))
    kept = create_strategy("scissor").plan(tokens, 30)
    monkeypatch.setattr(_similarities, "STORED", 0)
    monkeypatch.setattr(_similarities, "AT_ONCE", 500)
    assert same(create_strategy("scissor").plan(tokens, 30), kept)


@pytest.mark.parametrize("stored", [0, 2**26])
@pytest.mark.parametrize("masked", [False, True])
def test_what_is_known_of_tokens_gives_the_forest_of_means_made_anew(stored, masked, monkeypatch):
    monkeypatch.setattr(_similarities, "STORED", stored)
    monkeypatch.setattr(_similarities, "AT_ONCE", 500)
    features = noise(12, 9) + 0.7 * noise(1, 9, seed=1)
    features[3], features[5, 2], features[7, :3] = features[2], 0, features[7, 4]
    mask = torch.rand(12, 9, generator=torch.Generator().manual_seed(2)) < 0.8
    tokens = tokens_of(features, mask=mask if masked else None)
    known, anew = [], []
    for threshold in (0.35, 0.5, 0.65, 0.8):
        spatial = module._spatial_forest(tokens)
        everything = module._AllTokens.of(tokens)
        steps = module._two_steps(tokens, spatial, threshold, everything)
        first = steps.first
        sizes = torch.bincount(first[first >= 0])
        known.append(everything.merged(features.flatten(0, 1), first, sizes))
        anew.append(module._two_steps(tokens, spatial, threshold).temporal)
    used = [pair for pair in zip(known, anew, strict=True) if pair[0] is not None]
    assert len(used) >= 2
    for one, other in used:
        assert one.nodes == other.nodes
        for name in ("low", "high", "weight"):
            assert torch.equal(getattr(one, name), getattr(other, name))


def test_near_ties_seen_differently_from_both_ends_make_no_cycle():
    target = torch.tensor([1, 2, 0, 4, 3, 3])
    parent = _linkage._rooted(target)
    assert parent.tolist() == [0, 2, 0, 3, 3, 3]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_meet_every_budget(frames):
    tokens = tokens_of(noise(frames, 3))
    for budget in range(1, tokens.count + 1):
        for spec in ("scissor", "scissor:threshold=0.3"):
            assert create_strategy(spec).plan(tokens, budget).num_out == budget


def test_a_threshold_out_of_range_is_an_error():
    with pytest.raises(InvalidOptionError, match=r"threshold='1\.5' must be a number from -1"):
        create_strategy("scissor:threshold=1.5")


def test_the_documented_thresholds_are_those_that_are_solved():
    whole = framesift.VideoCompressor(strategy="uniform", keep=1.0, fps=1.0)
    video = whole.compress("synthetic://mixed?seconds=12&seed=1")
    tokens = tokens_of(video.tokens.view(12, 196, -1), (14, 14))
    solved = [
        Scissor().solved_threshold(tokens, round(keep * tokens.count))
        for keep in (0.5, 0.35, 0.1, 0.07)
    ]
    assert solved == pytest.approx([0.9999, 0.9999, 0.9953, 0.9773], abs=5e-4)
    for threshold in solved:
        assert f"{threshold:.4f}" in (Scissor.__doc__ or "")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_square_of_the_tokens():
    run = in_fresh_process(memory_run, kind="random", frames=80, channels=64)
    assert run.facts["tokens_in"] == 80 * 196
    assert run.peak_bytes - run.start_bytes < 150e6
