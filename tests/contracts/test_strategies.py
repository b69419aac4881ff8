"""Every strategy, whatever its method, keeps these promises."""

import pytest
import torch

from framesift.errors import BudgetError, MissingSignalError
from framesift.strategies import registry
from framesift.strategies.base import create_strategy
from framesift.types.budget import Budget
from framesift.types.tokens import Signals, VideoTokens

NAMES = registry.names()
SHAPES = [(1, 1, 1), (1, 4, 4), (2, 3, 5), (7, 4, 4), (24, 5, 3)]


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
        ),
    )


def same(first, second):
    return all(
        torch.equal(getattr(first, name), getattr(second, name))
        for name in ("dst", "src", "weight")
    )


@pytest.fixture(params=NAMES)
def strategy(request):
    return registry.create(request.param)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keep", [1e-9, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_budget_is_met_exactly(strategy, shape, keep):
    tokens = make_tokens(*shape)
    budget = Budget(keep=keep).tokens(tokens.count)
    plan = strategy.plan(tokens, budget)
    assert plan.num_out == budget
    assert plan.apply(tokens.features).shape == (budget, tokens.features.shape[-1])


def test_budget_above_the_input_keeps_everything(strategy):
    tokens = make_tokens()
    plan = strategy.plan(tokens, tokens.count + 5)
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
    assert plan.num_out == 20
    assert same(plan, strategy.plan(still, 20))


def test_zero_vectors_give_finite_plans(strategy):
    tokens = make_tokens()
    tokens.features[1:3] = 0
    plan = strategy.plan(tokens, 30)
    assert plan.num_out == 30
    assert plan.apply(tokens.features).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_preserved(strategy, dtype):
    tokens = make_tokens(dtype=dtype)
    out = strategy.plan(tokens, 28).apply(tokens.features)
    assert out.dtype == dtype
    assert out.shape[0] == 28


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
    masked = VideoTokens(
        features=tokens.features,
        grid=tokens.grid,
        pts_seconds=tokens.pts_seconds,
        signals=tokens.signals,
        mask=mask,
    )
    for budget in (1, 17, int(mask.sum()), tokens.count):
        plan = strategy.plan(masked, budget)
        assert plan.num_out == min(budget, int(mask.sum()))
        assert mask.flatten()[plan.src].all()


def test_outputs_are_in_time_order(strategy):
    tokens = make_tokens(11)
    plan = strategy.plan(tokens, 40)
    times = tokens.pts_seconds.repeat_interleave(tokens.tokens_per_frame)[:, None]
    assert (plan.normalized().apply(times).diff(dim=0) >= 0).all()


def test_missing_signals_are_named(strategy):
    tokens = make_tokens()
    bare = VideoTokens(features=tokens.features, grid=tokens.grid, pts_seconds=tokens.pts_seconds)
    if not strategy.required_signals:
        assert strategy.plan(bare, 5).num_out == 5
        return
    with pytest.raises(MissingSignalError, match=sorted(strategy.required_signals)[0]):
        strategy.plan(bare, 5)


def test_spec_round_trip_and_class_facts(strategy):
    assert create_strategy(strategy.spec) == strategy
    assert strategy.summary
    assert len(strategy.summary) < 80
    assert strategy.paper is None or strategy.paper.startswith("https://")


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
