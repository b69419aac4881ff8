"""Every strategy, whatever its method, keeps these promises."""

import inspect
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from framesift.errors import (
    BudgetError,
    InvalidTokensError,
    MissingSignalError,
    PlanTooLongError,
    TimeLimitError,
)
from framesift.progress import on_progress, time_limit
from framesift.registry import Part
from framesift.strategies import registry
from framesift.strategies.base import Place, Strategy, create_strategy
from framesift.types.budget import Budget
from framesift.types.tokens import Signals, VideoTokens

NAMES = registry.names()
SHAPES = [
    (1, 1, 1),
    (1, 4, 4),
    (7, 1, 4),
    (24, 5, 3),
    *((frames, 3, 4) for frames in (1, 2, 3, 5, 8, 32)),
]
KEEPS = (1e-9, 0.05, 0.1, 0.25, 0.35, 0.5, 0.75, 0.9, 1.0)


def make_tokens(frames=7, height=4, width=4, channels=16, *, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    still = torch.randn(1, height * width, channels, generator=generator)
    moved = torch.randn(frames, height * width, channels, generator=generator)
    changes = torch.rand(frames, height * width, 1, generator=generator) < 0.3
    count = (frames, height * width)
    return VideoTokens(
        features=(still + moved * changes).to(dtype),
        grid=(height, width),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(
            attention=torch.rand(count, generator=generator),
            keys=torch.randn(*count, 8, generator=generator),
            edge_density=torch.rand(count, generator=generator),
            question_similarity=torch.rand(count, generator=generator),
            llm_attention=torch.rand(count, generator=generator),
        ),
    )


def has_size(strategy, plan, budget):
    """Whether a plan has the budget's size, or that of the largest layout that fits it."""
    return plan.num_out == budget or (strategy.structural and 1 <= plan.num_out < budget)


def same(first, second):
    return all(
        torch.equal(getattr(first, name), getattr(second, name))
        for name in ("dst", "src", "weight")
    )


@pytest.fixture(params=NAMES)
def strategy(request):
    return registry.create(request.param)


def test_budget_is_met_exactly(strategy):
    for shape in SHAPES:
        tokens = make_tokens(*shape)
        sizes = []
        for keep in KEEPS:
            budget = Budget(keep=keep).tokens(tokens.count)
            plan = strategy.plan(tokens, budget)
            assert has_size(strategy, plan, budget), (shape, keep)
            assert plan.apply(tokens.features).shape == (plan.num_out, tokens.features.shape[-1])
            assert strategy.plan(tokens, plan.num_out).num_out == plan.num_out, (shape, keep)
            sizes.append(plan.num_out)
        assert sizes == sorted(sizes), shape


@pytest.mark.parametrize("shape", [(1, 13, 13), (2, 14, 14), (3, 1, 31), (3, 9, 1)], ids=str)
def test_budgets_are_exact_and_repeatable_on_grids_of_models(strategy, shape):
    check_budgets(strategy, make_tokens(*shape), (0.03, 0.1, 0.37, 0.9))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 27, 27), (2, 27, 13), (5, 24, 24)], ids=str)
def test_budgets_are_exact_and_repeatable_on_large_grids(strategy, shape):
    check_budgets(strategy, make_tokens(*shape), (0.01, 0.25))


def check_budgets(strategy, tokens, keeps):
    for keep in keeps:
        budget = Budget(keep=keep).tokens(tokens.count)
        plan = strategy.plan(tokens, budget)
        assert has_size(strategy, plan, budget)
        assert same(plan, strategy.plan(tokens, budget))


def test_a_budget_for_all_tokens_changes_nothing(strategy):
    for frames in (1, 2, 3, 8):
        for more in (0, 5):
            tokens = make_tokens(frames)
            plan = strategy.plan(tokens, tokens.count + more)
            assert plan.is_pruning, (frames, more)
            assert torch.equal(plan.apply(tokens.features), tokens.features.flatten(0, 1))


def test_budget_below_one_is_an_error(strategy):
    with pytest.raises(BudgetError, match="at least 1"):
        strategy.plan(make_tokens(), 0)


def test_static_video_with_identical_tokens(strategy):
    tokens = make_tokens()
    features = torch.ones_like(tokens.features)
    signals = Signals(
        **{name: torch.ones_like(value) for name, value in tokens.signals.present().items()}
    )
    still = VideoTokens(
        features=features, grid=tokens.grid, pts_seconds=tokens.pts_seconds, signals=signals
    )
    plan = strategy.plan(still, 20)
    assert has_size(strategy, plan, 20)
    assert same(plan, strategy.plan(still, 20))


@pytest.mark.parametrize("empty", [slice(1, 3), slice(None)], ids=["two frames", "all"])
def test_zero_vectors_give_finite_plans(strategy, empty):
    tokens = make_tokens()
    tokens.features[empty] = 0
    plan = strategy.plan(tokens, 30)
    assert has_size(strategy, plan, 30)
    assert plan.apply(tokens.features).isfinite().all()
    assert same(plan, strategy.plan(tokens, 30))


def test_the_order_of_channels_does_not_matter(strategy):
    tokens = make_tokens(9, channels=32)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(5))
    mixed = replace(tokens, features=tokens.features[..., order])
    plans = [strategy.plan(each, 40) for each in (tokens, mixed)]
    assert torch.equal(plans[0].dst, plans[1].dst)
    assert torch.equal(plans[0].src, plans[1].src)
    torch.testing.assert_close(plans[0].weight, plans[1].weight, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_preserved(strategy, dtype):
    tokens = make_tokens(dtype=dtype)
    plan = strategy.plan(tokens, 28)
    out = plan.apply(tokens.features)
    assert out.dtype == dtype
    assert out.isfinite().all()
    assert has_size(strategy, plan, len(out))
    assert has_size(strategy, plan, 28)


def test_deterministic_and_blind_to_the_global_seed(strategy):
    tokens = make_tokens(12)
    torch.manual_seed(1)
    first = strategy.plan(tokens, 50)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second = (
        registry.create(strategy.spec.partition(":")[0]).plan(tokens, 50)
        if "|" not in (strategy.spec)
        else create_strategy(strategy.spec).plan(tokens, 50)
    )
    assert same(first, second)
    assert torch.equal(state, torch.get_rng_state())


def test_input_is_not_changed(strategy):
    tokens = make_tokens()
    before = tokens.features.clone()
    strategy.plan(tokens, 10)
    assert torch.equal(tokens.features, before)


def test_masked_tokens_never_survive(strategy):
    tokens = make_tokens(9)
    generator = torch.Generator().manual_seed(3)
    mask = torch.rand(tokens.features.shape[:2], generator=generator) < 0.4
    masked = replace(tokens, mask=mask)
    for budget in (1, 17, int(mask.sum()), tokens.count):
        plan = strategy.plan(masked, budget)
        assert has_size(strategy, plan, min(budget, int(mask.sum())))
        assert mask.flatten()[plan.src].all()
    assert torch.equal(plan.used, mask.flatten())
    assert plan.is_pruning


def test_outputs_are_in_time_order(strategy):
    tokens = make_tokens(11)
    plan = strategy.plan(tokens, 40)
    times = tokens.pts_seconds.repeat_interleave(tokens.tokens_per_frame)[:, None]
    # The last bit of a sum of fractions is no order.
    assert (plan.normalized().apply(times).diff(dim=0) > -1e-12).all()


def test_an_output_says_the_times_that_it_was_merged_from(strategy):
    tokens = make_tokens(6)
    seconds = torch.tensor([0.0, 3.0, 7.0, 7.5, 20.0, 20.5], dtype=torch.float64)
    still = replace(tokens, features=tokens.features[:1].expand(6, -1, -1), pts_seconds=seconds)
    for video in (replace(tokens, pts_seconds=seconds), still):
        plan = strategy.plan(video, 30)
        times = seconds.repeat_interleave(video.tokens_per_frame)[:, None]
        found = plan.normalized().apply(times)[:, 0]
        for row in range(plan.num_out):
            own = plan.dst == row
            frames = seconds[plan.src[own] // video.tokens_per_frame]
            mean = (plan.weight[own] * frames).sum() / plan.weight[own].sum()
            assert abs(float(found[row] - mean)) < 1e-9
        assert plan.is_pruning or strategy.is_merging
    assert plan.is_pruning != strategy.is_merging


def test_what_a_listener_raises_ends_a_plan_at_any_step(strategy):
    tokens, told = make_tokens(6), []
    with on_progress(told.append):
        strategy.plan(tokens, 30)
    assert {step.stage for step in told} == {"plan"}

    def refuse(_):
        told.append(None)
        if len(told) == last:
            raise KeyboardInterrupt

    for last in {1, len(told) // 2, len(told)} - {0}:
        told.clear()
        with pytest.raises(KeyboardInterrupt), on_progress(refuse):
            strategy.plan(tokens, 30)
        assert len(told) == last


def test_no_step_of_a_plan_is_long(strategy):
    check_longest_step(strategy, make_tokens(24, 14, 14, 64), 2.0)


@pytest.mark.slow
def test_a_time_limit_stops_a_plan_of_many_tokens(strategy):
    tokens, start = make_tokens(64, 27, 27, 256), time.perf_counter()
    with suppress(TimeLimitError), time_limit(2.0):
        strategy.plan(tokens, tokens.count // 4)
    assert time.perf_counter() - start < 8.0


def check_longest_step(strategy, tokens, most_seconds):
    """Asserts that a listener is heard in good time, so that it can end the work."""
    times = [time.perf_counter()]
    with on_progress(lambda _: times.append(time.perf_counter())):
        strategy.plan(tokens, tokens.count // 4)
    times.append(time.perf_counter())
    assert max(after - before for before, after in pairwise(times)) < most_seconds


def test_a_plan_that_surely_takes_too_long_is_refused_with_the_figure(strategy):
    frames = 10**7
    with time_limit(1.0), pytest.raises(PlanTooLongError, match=r"at least \d+ s here for a plan"):
        strategy.check_time(frames, 729, 1024, frames)
    strategy.check_time(frames, 729, 1024, frames)
    tokens = make_tokens()
    with time_limit(60.0):
        assert has_size(strategy, strategy.plan(tokens, 5), 5)


def test_missing_signals_are_named(strategy):
    tokens = make_tokens()
    bare = replace(tokens, signals=Signals())
    if not strategy.required_signals:
        assert has_size(strategy, strategy.plan(bare, 5), 5)
        return
    with pytest.raises(MissingSignalError, match=sorted(strategy.required_signals)[0]):
        strategy.plan(bare, 5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_features_that_are_no_numbers_are_refused(strategy, value):
    tokens = make_tokens()
    tokens.features[2, 7, 3] = value
    with pytest.raises(InvalidTokensError, match=rf"got {value} in frame 2, patch 7 \(1 of 112"):
        strategy.plan(tokens, 5)


def test_tokens_of_which_none_takes_part_are_refused(strategy):
    tokens = make_tokens()
    masked = replace(tokens, mask=torch.zeros(7, 16, dtype=torch.bool))
    with pytest.raises(InvalidTokensError, match="0 of 112 tokens"):
        strategy.plan(masked, 5)


def test_a_strategy_has_few_class_facts_and_the_rest_follows_from_them(strategy):
    stated = inspect.get_annotations(Part) | inspect.get_annotations(Strategy)
    assert all(kind.startswith("ClassVar") for kind in stated.values())
    assert len(stated) <= 7
    assert (strategy.applies_to == "inside the LLM") == ("llm_attention" in strategy.needs)
    assert strategy.is_per_question == ("question_similarity" in strategy.required_signals)


def test_spec_round_trip_and_class_facts(strategy):
    assert create_strategy(strategy.spec) == strategy
    assert strategy.applies_to in get_args(Place)
    assert 0 < len(strategy.cost) < 40
    assert strategy.summary
    assert len(strategy.summary) < 80
    assert strategy.paper is None or strategy.paper.startswith("https://")


class DividesAsCuda(TorchDispatchMode):
    """Multiplies by the reciprocal where a tensor is divided by a plain number."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.div.Tensor, torch.ops.aten.div_.Tensor):
            values, by = args
            if values.is_floating_point() and not isinstance(by, torch.Tensor):
                product = values * (1.0 / by)
                return values.copy_(product) if func is torch.ops.aten.div_.Tensor else product
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_plan_does_not_rest_on_how_a_device_divides(strategy, seed):
    tokens = make_tokens(16, seed=seed)
    plan = strategy.plan(tokens, 60)
    with DividesAsCuda():
        assert same(plan, strategy.plan(tokens, 60))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_plan_on_a_gpu_equals_plan_on_the_cpu(strategy):
    tokens = make_tokens(16)
    moved = VideoTokens(
        features=tokens.features.cuda(),
        grid=tokens.grid,
        pts_seconds=tokens.pts_seconds.cuda(),
        signals=Signals(**{k: v.cuda() for k, v in tokens.signals.present().items()}),
    )
    assert same(strategy.plan(tokens, 60), strategy.plan(moved, 60))
